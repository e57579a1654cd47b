"""Diagnostics: the recipe, learning curves, signals and the range test say what is the case."""

import numpy as np
import pytest

import fastnn
from fastnn import Activation, Adam, Dense, Network, Rescaling, data
from fastnn.diagnostics import (
    bias_variance,
    depth_experiment,
    diagnose,
    learning_curve,
    signal,
)
from fastnn.errors import DataError, NotBuiltError, SettingError, ShapeError


class TestRecipe:
    @pytest.mark.parametrize(
        ("train", "dev", "human", "problem"),
        [  # the course's four examples, and the first two beside a human who errs
            (0.01, 0.11, 0.0, "variance"),
            (0.15, 0.16, 0.0, "bias"),
            (0.15, 0.30, 0.0, "bias and variance"),
            (0.005, 0.01, 0.0, "none"),
            (0.15, 0.16, 0.15, "none"),
            (0.01, 0.11, 0.05, "variance"),
            (0.03, 0.05, 0.01, "none"),
        ],
    )
    def test_problem(self, train, dev, human, problem):
        assert bias_variance(train, dev, human_error=human).problem == problem

    def test_steps_against_bias_come_first(self):
        steps = bias_variance(0.15, 0.30).steps
        assert [step.split(":")[0] for step in steps[:2]] == [
            "a bigger network",
            "longer training, or a better optimiser",
        ]
        assert steps[:3] == bias_variance(0.15, 0.15).steps
        assert steps[3:] == bias_variance(0.0, 0.15).steps
        assert steps[3].startswith("more data")
        assert bias_variance(0.0, 0.0).steps == ()

    def test_tolerance(self):
        assert bias_variance(0.04, 0.08, tolerance=0.03).problem == "bias and variance"
        assert bias_variance(0.04, 0.08, tolerance=0.04).problem == "none"

    def test_prints(self):
        lines = str(bias_variance(0.15, 0.16, human_error=0.01)).splitlines()
        assert lines[1].split() == ["train", "error", "15.00%", "avoidable", "bias", "14.00%"]
        assert "High bias" in lines[3]
        assert lines[5].strip().startswith("1. a bigger network")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ((15, 0.2), r"train_error must be a share in \[0, 1\], got 15; 15 % is 0.15"),
            ((0.1, -0.2), "dev_error"),
            ((0.1, float("nan")), "dev_error"),
            ((0.1, "a"), "dev_error"),
        ],
    )
    def test_bad_input(self, arguments, sentence):
        with pytest.raises(SettingError, match=sentence):
            bias_variance(*arguments)

    def test_bad_settings(self):
        with pytest.raises(SettingError, match="human_error"):
            bias_variance(0.1, 0.1, human_error=2)
        with pytest.raises(SettingError, match="tolerance"):
            bias_variance(0.1, 0.1, tolerance=-1)


def classifier(seed):
    return Network.mlp([2, 16, 1], output="sigmoid", hidden="tanh", seed=seed)


def regressor(seed):
    return Network.mlp([2, 1], output="identity", seed=seed)


@pytest.fixture(scope="module")
def moons():
    X, y = data.moons(400, 0.2, 1)
    return X[:300], y[:300], X[300:], y[300:]


class TestLearningCurve:
    def test_more_examples_close_the_gap(self, moons):
        X, y, X_dev, y_dev = moons
        curve = learning_curve(
            classifier, X, y, X_dev=X_dev, y_dev=y_dev, sizes=(8, 300), seeds=(0, 1, 2),
            epochs=300, batch_size=None, optimizer=Adam(0.03),
        )  # fmt: skip
        assert curve.metric == "accuracy"
        assert curve.train.shape == curve.dev.shape == (3, 2)
        gap = (curve.train - curve.dev).mean(axis=0)
        assert gap[0] > 0.08 > gap[1]
        assert curve.dev[:, 1].min() > 0.93

    def test_sizes(self, moons):
        X, y, X_dev, y_dev = moons
        given = {"X_dev": X_dev, "y_dev": y_dev, "epochs": 1}
        curve = learning_curve(classifier, X, y, **given)
        np.testing.assert_array_equal(curve.sizes, [30, 75, 150, 225, 300])
        curve = learning_curve(classifier, X, y, sizes=(1.0, 20, 0.5), **given)
        np.testing.assert_array_equal(curve.sizes, [20, 150, 300])

    def test_smaller_sets_are_parts_of_larger_ones(self):
        seen = []

        class Recorder:
            def fit(self, X, y, **settings):
                seen.append(set(X[:, 0].tolist()))
                assert settings["epochs"] == 7

            def evaluate(self, X, y):
                return {"cost": float(len(X))}

        X = np.arange(20.0)[:, None]
        curve = learning_curve(
            lambda seed: Recorder(), X, X, X_dev=X, y_dev=X, sizes=(5, 10), seeds=(3, 4), epochs=7
        )
        assert seen[0] < seen[1]
        assert seen[2] < seen[3]
        assert seen[1] != seen[3]
        np.testing.assert_array_equal(curve.train, [[5, 10], [5, 10]])
        assert curve.metric == "cost"

    def test_prints(self, moons):
        X, y, X_dev, y_dev = moons
        curve = learning_curve(
            regressor, X, y, X_dev=X_dev, y_dev=y_dev, sizes=(10,), seeds=(0, 1), epochs=1
        )
        lines = str(curve).splitlines()
        assert lines[0].split() == ["examples", "train", "cost", "dev", "cost", "gap"]
        assert lines[1].split()[:2] == ["10", f"{curve.train.mean():.4f}"]
        assert lines[2] == "Means over 2 seeds."

    @pytest.mark.parametrize(
        ("settings", "error", "sentence"),
        [
            ({"sizes": (0,)}, SettingError, "sizes must be whole numbers from 1 to m = 300"),
            ({"sizes": (301,)}, SettingError, "got 301"),
            ({"sizes": (1.5,)}, SettingError, "got 1.5"),
            ({"sizes": ()}, SettingError, "sizes is empty"),
            ({"seeds": ()}, SettingError, "seeds is empty"),
            ({"y": [0, 1]}, ShapeError, "300 rows but y has 2"),
            ({"X": [1, 2]}, DataError, r"\(m, n\)"),
        ],
    )
    def test_bad_input(self, moons, settings, error, sentence):
        X, y, X_dev, y_dev = moons
        given = {"X": X, "y": y, "X_dev": X_dev, "y_dev": y_dev, **settings}
        with pytest.raises(error, match=sentence):
            learning_curve(classifier, **given)


class TestSignal:
    def test_numbers(self):
        net = Network([Dense(3, "tanh"), Dense(2)], inputs=2, dtype="float64")
        X = np.random.default_rng(0).normal(size=(30, 2))
        found = signal(net, X).layers
        for row, A in zip(found, net.activations(X), strict=True):
            assert row.mean == pytest.approx(A.mean())
            assert row.spread == pytest.approx(A.std())
            assert row.gradient is None
        assert [row.hidden for row in found] == [True, False]
        assert [row.name for row in found] == ["dense1", "dense2"]

    def test_dead_units(self):
        net = Network([Dense(4, "relu", name="first"), Dense(1)], inputs=2)
        W = np.array([[1, -1, -1, -1], [1, -1, -2, -3]])
        net.set_parameters({**net.parameters, "W1": W})
        found = signal(net, np.random.default_rng(0).random((9, 2)) + 1)
        assert found.layers[0].dead == 0.75
        assert "75% of first's units are dead" in found.verdict

    @pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
    def test_saturated_units(self, kind):
        net = Network([Dense(2), Activation(kind), Dense(1)], inputs=2)
        net.set_parameters({**net.parameters, "W1": 100 * np.eye(2)})
        found = signal(net, [[1, -1], [0, 1], [-1, 0], [1, 1]])
        assert found.layers[1].name == kind
        assert found.layers[1].saturated == 0.75
        assert f"75% of {kind}'s outputs are saturated" in found.verdict

    def test_a_sure_output_is_no_problem(self):
        net = Network([Dense(1, "sigmoid")], inputs=1)
        net.set_parameters({"W1": [[100]], "b1": [0]})
        found = signal(net, [[1.0], [-1.0]])
        assert found.layers[0].saturated == 1
        assert found.verdict == "The signal is healthy."

    def test_zero_weights_carry_nothing(self):
        net = Network.mlp([3, 4, 4, 1], output="sigmoid", hidden="tanh", init="zeros")
        assert "no signal from dense1 on" in signal(net, np.eye(3)).verdict

    def test_gradients_and_ratio(self):
        net = Network([Rescaling(2.0), Dense(3, "tanh"), Dense(1)], inputs=2, dtype="float64")
        X, y = np.random.default_rng(0).normal(size=(2, 10, 2))[0], np.ones(10)
        found = diagnose(net, X, y, learning_rate=0.5, l2=3.0)
        slopes = net.cost_and_gradients(X, y, l2=3.0)[1]
        assert found.layers[0].name == "rescaling"
        assert found.layers[0].gradient is None
        assert not found.layers[0].hidden
        for number, row in enumerate(found.layers[1:], 1):
            norm = np.linalg.norm(slopes[f"W{number}"])
            size = np.linalg.norm(net.parameters[f"W{number}"])
            assert row.gradient == pytest.approx(norm)
            assert row.ratio == pytest.approx(0.5 * norm / size)

    def test_vanishing_gradient(self):
        net = Network.mlp(
            [20, *[20] * 12, 1], output="sigmoid", hidden="sigmoid", init="xavier", dtype="float64"
        )
        X = np.random.default_rng(0).normal(size=(50, 20))
        assert "gradient vanishes" in diagnose(net, X, X[:, 0] > 0).verdict

    def test_prints(self):
        net = Network.mlp([3, 4, 1], output="sigmoid")
        X = np.eye(3)
        assert str(signal(net, X)).splitlines()[0].split() == [
            "layer", "mean", "spread", "dead", "saturated",
        ]  # fmt: skip
        text = str(diagnose(net, X, [0, 1, 0]))
        assert text.splitlines()[0].split()[-2:] == ["‖dW‖", "update/W"]
        assert text.splitlines()[-1].startswith("The signal is healthy")

    def test_bad_input(self):
        net = Network.mlp([3, 4, 1], output="sigmoid")
        with pytest.raises(ShapeError):
            signal(net, np.ones((2, 4)))
        with pytest.raises(NotBuiltError):
            signal(Network([Dense(1)]), np.ones((2, 4)))
        with pytest.raises(SettingError, match="learning_rate"):
            diagnose(net, np.eye(3), [0, 1, 0], learning_rate=0)


class TestDepthExperiment:
    @pytest.mark.medium
    def test_small_vanishes_large_explodes_he_stays(self):
        found = depth_experiment()
        assert list(found) == ["small", "large", "he"]
        spreads = found.spreads
        assert all(values.shape == (50,) for values in spreads.values())
        # Each layer multiplies the spread by about σ √(width / 2): 0.07, 7 and 1.
        factors = {k: (v[-1] / v[0]) ** (1 / 49) for k, v in spreads.items()}
        assert factors == pytest.approx({"small": 0.0707, "large": 7.07, "he": 1.0}, rel=0.05)
        assert "vanishes" in found["small"].verdict
        assert "explodes" in found["large"].verdict
        assert found["he"].verdict == "The signal is healthy."

    def test_settings(self):
        found = depth_experiment(
            6, width=30, examples=10, activation="tanh", weights={"Xavier": "xavier"}, seed=4
        )
        assert list(found) == ["Xavier"]
        assert found.spreads["Xavier"].shape == (6,)
        again = depth_experiment(
            6, width=30, examples=10, activation="tanh", weights={"Xavier": "xavier"}, seed=4
        )
        np.testing.assert_array_equal(found.spreads["Xavier"], again.spreads["Xavier"])

    def test_prints_some_layers(self):
        lines = str(depth_experiment(20, width=5)).splitlines()
        assert lines[1].split() == ["1", "5", "9", "12", "16", "20"]
        assert [line.split()[0] for line in lines[2:]] == ["small", "large", "he"]

    def test_bad_input(self):
        with pytest.raises(SettingError, match="depth"):
            depth_experiment(0)
        with pytest.raises(SettingError, match="weights is empty"):
            depth_experiment(2, weights={})
        with pytest.raises(SettingError, match="activation"):
            depth_experiment(2, activation="step")


@pytest.mark.parametrize("backend", fastnn.kernels.BACKENDS)
def test_signals_agree_on_every_backend(backend):
    net = Network.mlp([3, 5, 2], output="softmax", hidden="sigmoid", dtype="float64")
    X, y = np.random.default_rng(0).normal(size=(7, 3)), [0, 1, 0, 1, 1, 0, 0]
    expected = diagnose(net, X, y)
    with fastnn.backend(backend):
        found = diagnose(net, X, y)
    for a, b in zip(found.layers, expected.layers, strict=True):
        assert (a.mean, a.spread, a.gradient) == pytest.approx((b.mean, b.spread, b.gradient))


class TestLearningCurveOfWeights:
    def test_weights_follow_their_rows(self):
        """A row of weight 0 is as good as not there."""
        rng = np.random.default_rng(0)
        X, noise = rng.normal(size=(40, 2)), rng.normal(50, 9, 40)
        counted = np.arange(40) % 2 == 0
        y = np.where(counted, X @ [1.0, -2.0], noise)
        found = learning_curve(
            regressor, X, y, X_dev=X[counted], y_dev=y[counted], sizes=(20, 40), epochs=300,
            sample_weight=counted.astype(float), optimizer=fastnn.GradientDescent(0.1),
        )  # fmt: skip
        assert found.dev.max() < 0.1

    def test_dev_labels_too(self, monkeypatch):
        monkeypatch.setattr(Network, "fit", lambda *given, **settings: 1 / 0)  # it must not begin
        X = np.ones((9, 2))
        with pytest.raises(DataError, match=r"y\[0\] is 3"):
            learning_curve(classifier, X, np.ones(9), X_dev=X, y_dev=np.full(9, 3))

    def test_what_makes_no_network(self):
        X, y = np.ones((9, 2)), np.ones(9)
        with pytest.raises(SettingError, match=r"must return a new Network.*got int"):
            learning_curve(lambda seed: seed, X, y, X_dev=X, y_dev=y)

    @pytest.mark.parametrize(
        ("X_dev", "y_dev", "words"),
        [(np.ones((5, 3)), np.ones(5), r"X_dev expects|inputs of shape \(m, 2\)"),
         (np.ones((5, 2)), np.ones(4), "X_dev has 5 rows but y_dev has 4")],
    )  # fmt: skip
    def test_dev_data_are_looked_at_before_the_first_step(self, X_dev, y_dev, words):
        def make(seed):
            raise AssertionError("no network is needed to see that")

        with pytest.raises(ShapeError, match=words):
            learning_curve(make, np.ones((9, 2)), np.ones(9), X_dev=X_dev, y_dev=y_dev)
