"""Bad input gets one clear error that names, states, shows and mends, and nothing has changed."""

import numpy as np
import pytest

import fastnn
from fastnn import Activation, Dense, Network, Normalization, Rescaling, errors

X = np.random.default_rng(0).normal(size=(20, 4))
y = (X[:, 0] > 0).astype(int)


def broken(place, value):
    bad = X.copy()
    bad[place] = value
    return bad


def labels(row, value, dtype=float):
    bad = y.astype(dtype)
    bad[row] = value
    return bad


SIGMOID = [Dense(3, "tanh", name="hidden"), Dense(1, "sigmoid")]
SOFTMAX = [Dense(3, "softmax")]
LINEAR = [Dense(2)]

#: what is wrong: (layers, X, y, settings of fit, error, words of its message)
FITS = {
    "images": (SIGMOID, np.zeros((20, 2, 2, 3)), y, {}, errors.ShapeError, "flatten_images"),
    "one row": (SIGMOID, X[0], y, {}, errors.ShapeError, r"\(1, 4\)"),
    "a number": (SIGMOID, 3.0, y, {}, errors.ShapeError, "2-D"),
    "features": (SIGMOID, X[:, :3], y, {}, errors.ShapeError, r"\(m, 4\).*\(20, 3\)"),
    "transposed": (SIGMOID, X[:7].T, y[:4], {}, errors.ShapeError, "transposed"),
    "lengths": (SIGMOID, X, y[:9], {}, errors.ShapeError, "20 rows but y has 9"),
    "empty": (SIGMOID, X[:0], y[:0], {}, errors.ShapeError, "empty"),
    "object": (SIGMOID, X.astype(object), y, {}, errors.DataError, "dtype object"),
    "string": (SIGMOID, X.astype(str), y, {}, errors.DataError, "numbers"),
    "complex": (SIGMOID, X + 1j, y, {}, errors.DataError, "imaginary"),
    "dates": (SIGMOID, X.astype("M8[s]"), y, {}, errors.DataError, "real numbers"),
    "NaN in X": (SIGMOID, broken((7, 2), np.nan), y, {}, errors.DataError, "X holds nan in row 7"),
    "infinite X": (SIGMOID, broken((5, 0), -np.inf), y, {}, errors.DataError, "-inf in row 5"),
    "NaN in y": (LINEAR, X, broken((3, 1), np.nan)[:, :2], {}, errors.DataError, "y .* row 3"),
    "NaN label": (SIGMOID, X, labels(4, np.nan), {}, errors.DataError, "row 4"),
    "label 2": (SIGMOID, X, labels(6, 2), {}, errors.DataError, r"0 or 1 .* y\[6\] is 2"),
    "label -1": (SIGMOID, X, labels(2, -1), {}, errors.DataError, r"y\[2\] is -1"),
    "class 3": (SOFTMAX, X, labels(8, 3), {}, errors.DataError, r"0 … 2 .* y\[8\] is 3"),
    "class ½": (SOFTMAX, X, labels(8, 0.5), {}, errors.DataError, r"y\[8\] is 0.5"),
    "not one-hot": (SOFTMAX, X, np.ones((20, 3)), {}, errors.DataError, "add up to 1"),
    "columns of y": (SOFTMAX, X, np.ones((20, 2)), {}, errors.ShapeError, r"\(m, 3\)"),
    "y as a row": (SIGMOID, X, y[None], {}, errors.ShapeError, "transpose"),
    "targets": (LINEAR, X, X, {}, errors.ShapeError, r"\(m, 2\) for 2 outputs"),
    "text labels": (SIGMOID, X, np.array(["a"] * 20), {}, errors.DataError, "text"),
    "epochs": (SIGMOID, X, y, {"epochs": -1}, errors.SettingError, "epochs must be"),
    "half epochs": (SIGMOID, X, y, {"epochs": 1.5}, errors.SettingError, "whole number"),
    "batch": (SIGMOID, X, y, {"batch_size": 0}, errors.SettingError, "batch_size .* least 1"),
    "l2": (SIGMOID, X, y, {"l2": -1}, errors.SettingError, "l2 must be"),
    "l1": (SIGMOID, X, y, {"l1": np.nan}, errors.SettingError, "l1 must be"),
    "no targets": (SIGMOID, X, None, {}, errors.DataError, "y must hold .*, got None"),
    "text": (SIGMOID, X, ["no", "yes"] * 10, {}, errors.DataError, "return_inverse=True"),
    "optimizer": (SIGMOID, X, y, {"optimizer": 0.01}, errors.SettingError, "fastnn.Adam"),
    "weights": (
        SIGMOID, X, y, {"sample_weight": np.ones(3)}, errors.ShapeError, r"\(20,\)",
    ),
    "negative weight": (
        SIGMOID, X, y, {"sample_weight": labels(5, -2)}, errors.DataError, "entry 5 is -2",
    ),
    "no weight": (SIGMOID, X, y, {"sample_weight": np.zeros(20)}, errors.DataError, "zero"),
    "class weight": (SIGMOID, X, y, {"class_weight": {2: 1}}, errors.SettingError, "class 2"),
    "class weights": (SIGMOID, X, y, {"class_weight": "even"}, errors.SettingError, "balanced"),
    "class weight of values": (
        LINEAR, X, X[:, :2], {"class_weight": "balanced"}, errors.SettingError, "one class",
    ),
    "split": (SIGMOID, X, y, {"validation_split": 1}, errors.SettingError, r"\[0, 1\)"),
    "both": (
        SIGMOID, X, y, {"validation_split": 0.1, "validation_data": (X, y)}, errors.SettingError,
        "not both",
    ),
    "validation": (
        SIGMOID, X, y, {"validation_data": (X[:, :2], y)}, errors.ShapeError,
        r"validation_data: .* \(20, 2\)",
    ),
    "validation labels": (
        SIGMOID, X, y, {"validation_data": (X, y + 1)}, errors.DataError, "validation_data: label",
    ),
    "progress": (SIGMOID, X, y, {"progress": "bar"}, errors.SettingError, "'auto'"),
}  # fmt: skip


@pytest.mark.parametrize("case", FITS)
def test_fit(case):
    layers, inputs, targets, settings, error, words = FITS[case]
    net = Network(layers, inputs=4)
    net.fit(X, y if layers != LINEAR else X[:, :2], epochs=1, progress=False)
    theta, epochs = net.program.theta.copy(), net.history.epochs
    with pytest.raises(error, match=words) as caught:
        net.fit(inputs, targets, **{"progress": False, **settings})
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(net.program.theta, theta)
    assert net.history.epochs == epochs


def test_labels_that_begin_at_one_are_recognised():
    net = Network([Dense(3, "softmax")])
    for labels, words in (([1, 2, 3], "give y - 1"), ([1, 2, 4], "recode the labels")):
        with pytest.raises(errors.DataError, match=words):
            net.fit(X[:3], labels, progress=False)


def test_a_refused_fit_leaves_an_unbuilt_network_unbuilt():
    net = Network([Normalization(), *SIGMOID])
    for bad in ({"sample_weight": [1]}, {"epochs": -1}, {"validation_data": (X[:, :1], y)}):
        with pytest.raises(errors.FastnnError):
            net.fit(X, y, **bad)
        assert net.inputs is None


@pytest.mark.parametrize(
    "use", ["predict", "predict_proba", "activations", "evaluate", "cost_and_gradients"]
)
class TestUse:
    def arguments(self, use, X):
        return (X, y) if use in ("evaluate", "cost_and_gradients") else (X,)

    def test_features_name_the_layer(self, use):
        net = Network(SIGMOID, inputs=4)
        with pytest.raises(errors.ShapeError, match=r"Dense 'hidden' expects .*\(m, 4\).*trans"):
            getattr(net, use)(*self.arguments(use, X.T[:, :7]))

    def test_unbuilt_networks_name_both_ways(self, use):
        net = Network(SIGMOID)
        with pytest.raises(errors.NotBuiltError, match=r"net.build\(n\).*fit"):
            getattr(net, use)(*self.arguments(use, X))


@pytest.mark.parametrize("use", ["parameters", "program", "reset"])
def test_sizes_are_needed(use):
    net = Network(SIGMOID)
    with pytest.raises(errors.NotBuiltError, match=r"net.build\(n\)"):
        net.reset() if use == "reset" else getattr(net, use)


#: what is wrong: (what makes it, words of the message)
DESCRIPTIONS = {
    "no layers": (lambda: Network([]), "at least one Dense"),
    "no dense": (lambda: Network([Activation("relu")]), "no Dense layer"),
    "units 0": (lambda: Dense(0), "units must be .* least 1, got 0"),
    "one softmax": (lambda: Network([Dense(1, "softmax")]), "always 1; use a sigmoid"),
    "units -3": (lambda: Dense(-3), "-3"),
    "units 2.5": (lambda: Dense(2.5), "whole number"),
    "units True": (lambda: Dense(True), "whole number"),
    "activation": (lambda: Dense(3, "rellu"), "'rellu' does not exist; did you mean 'relu'"),
    "activation layer": (lambda: Activation("x"), "choose one of"),
    "initialiser": (lambda: Dense(3, init="xaver"), "'xaver' .*xavier"),
    "initialiser as a class": (
        lambda: Dense(3, init=fastnn.initializers.Random), "or Random.scale.",
    ),
    "shuffle": (
        lambda: Network(SIGMOID).fit(X, [0, 1] * 10, shuffle="no"), "shuffle must be True or False",
    ),
    "initialiser of all": (lambda: Network(SIGMOID, init=3), "choose one of zeros"),
    "loss": (lambda: Network(SIGMOID, loss="hinge"), "choose one of squared_error"),
    "loss of another output": (
        lambda: Network(SIGMOID, loss="categorical_cross_entropy"), "needs a softmax output",
    ),
    "loss of no probability": (
        lambda: Network(LINEAR, loss="binary_cross_entropy"), "needs a sigmoid output",
    ),
    "softmax inside": (lambda: Network([Dense(3, "softmax"), Dense(1)]), "last layer"),
    "scaling inside": (lambda: Network([Dense(3), Rescaling(0.1)]), "first layer"),
    "not a layer": (lambda: Network(["relu"]), "layer 0 is 'relu'"),
    "scale 0": (lambda: Rescaling(0), "erase"),
    "scale NaN": (lambda: Rescaling(np.nan), "finite"),
    "dtype": (lambda: Network(SIGMOID, dtype="float16"), "'float32' or 'float64'"),
    "dtype text": (lambda: Network(SIGMOID, dtype="flaot"), "'float32' or 'float64'"),
    "seed": (lambda: Network(SIGMOID, seed=-1), "seed must be"),
    "large seed": (lambda: Network(SIGMOID, seed=2**32), "below"),
    "inputs": (lambda: Network(SIGMOID, inputs=0), "inputs must be"),
    "other inputs": (lambda: Network(SIGMOID, inputs=4).build(5), "cannot be built for 5"),
    "sizes": (lambda: Network.mlp([4], output="sigmoid"), "from input to output"),
    "rate": (lambda: fastnn.GradientDescent(-0.1), "learning_rate must be .* than 0, got -0.1"),
    "rate 0": (lambda: fastnn.Adam(0), "greater than 0"),
    "rate text": (lambda: fastnn.Adam("fast"), "finite number"),
    "beta": (lambda: fastnn.Adam(beta1=1.0), r"beta1 must lie in \[0, 1\)"),
    "epsilon": (lambda: fastnn.Adam(epsilon=0), "epsilon"),
    "scale": (lambda: fastnn.initializers.Random(-1), "scale must be"),
    "backend": (lambda: fastnn.backend("cuda"), "'loops', 'vectorized', 'jitted'"),
}  # fmt: skip


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_descriptions(case):
    make, words = DESCRIPTIONS[case]
    with pytest.raises(errors.SettingError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


class TestParameters:
    @pytest.mark.parametrize(
        ("mapping", "error", "words"),
        [
            ({"W1": np.ones((4, 1))}, errors.SettingError, "missing 'b1'"),
            ({"W1": np.ones((4, 1)), "b1": [0], "W2": 1}, errors.SettingError, "unknown 'W2'"),
            ({"W1": np.ones((1, 4)), "b1": [0]}, errors.ShapeError, "is it transposed"),
            ({"W1": np.ones((4, 1)), "b1": [np.nan]}, errors.DataError, "b1"),
            ({"W1": np.ones((4, 1)), "b1": ["x"]}, errors.DataError, "b1"),
        ],
    )
    def test_set_parameters(self, mapping, error, words):
        net = Network.mlp([4, 1], output="sigmoid")
        before = net.program.theta.copy()
        with pytest.raises(error, match=words):
            net.set_parameters(mapping)
        np.testing.assert_array_equal(net.program.theta, before)

    def test_assignment(self):
        net = Network.mlp([4, 1], output="sigmoid")
        with pytest.raises(errors.ShapeError, match=r"'W1' has shape \(4, 1\), got \(1, 4\)"):
            net.parameters["W1"] = np.ones((1, 4))
        with pytest.raises(KeyError, match="there are W1, b1"):
            net.parameters["W9"]


class TestSettingsOfNumPy:
    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
    def test_numbers_of_any_width_are_taken(self, kind):
        assert fastnn.Adam(kind(0.5)).learning_rate == 0.5
        assert Dense(3, max_norm=kind(2)).max_norm == 2

    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
    @pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
    def test_what_is_not_finite_is_refused_in_any_width(self, kind, value):
        with pytest.raises(errors.SettingError, match="learning_rate must be a finite number"):
            fastnn.Adam(kind(value))

    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
    def test_bounds_hold_in_any_width(self, kind):
        with pytest.raises(errors.SettingError, match="greater than 0"):
            fastnn.Adam(kind(0))
