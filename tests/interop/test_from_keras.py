"""Models of Keras are taken over as they compute, or refused by name; Keras is the oracle."""

import functools
import inspect
import os
import warnings

import numpy as np
import pytest

import fastnn
from fastnn.errors import DataError, FastnnError, NotBuiltError, SettingError, ShapeError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed", exc_type=ImportError)
layers = keras.layers

pytestmark = [
    pytest.mark.medium,
    pytest.mark.filterwarnings("ignore"),  # Keras and its backends warn of themselves
]

X = np.random.default_rng(3).normal(size=(7, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def moved(model):
    """The model with other biases, scales and averages than at the start."""
    draw = np.random.default_rng(0).uniform
    for variable in model.weights:
        if len(variable.shape) == 1:
            variable.assign(np.asarray(variable) + draw(0.1, 0.5, variable.shape))
    return model


def wanted(model, X=X):
    return np.asarray(keras.ops.convert_to_numpy(model(X, training=False)), np.float64)


def assert_taken(net, expected, **tolerance):
    np.testing.assert_allclose(
        net.activations(X)[-1], expected, **({"rtol": 2e-5, "atol": 2e-6} | tolerance)
    )


def functional(*parts):
    """A functional model that applies layers to four features in turn."""
    start = end = keras.Input((4,))
    for part in parts:
        end = part(end)
    return keras.Model(start, end)


class TestTheGraphIsFollowed:
    def test_sequential_and_functional_chains(self):
        parts = (
            layers.Dense(5, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        )
        for model in (keras.Sequential([keras.Input((4,)), *parts]), functional(*parts)):
            assert_taken(fastnn.from_keras(moved(model)), wanted(model))

    def test_a_layer_that_is_called_twice_in_a_chain(self):
        shared = layers.Dense(4, "tanh")
        for model in (
            functional(shared, shared, layers.Dense(2)),
            keras.Sequential([keras.Input((4,)), shared, shared, layers.Dense(2)]),
        ):
            net = fastnn.from_keras(moved(model))
            assert_taken(net, wanted(model))
            np.testing.assert_array_equal(net.parameters["W1"], net.parameters["W2"])

    def test_a_layer_that_other_models_call_too(self):
        shared = layers.Dense(4, "tanh")
        first, second = layers.Dense(4), layers.Dense(3)
        functional(first, shared)
        model = moved(functional(shared, layers.Activation("sigmoid"), second))
        functional(second := layers.Dense(4), shared)
        assert_taken(fastnn.from_keras(model), wanted(model))

    def test_models_within_models(self):
        inner = functional(layers.Dense(4, "tanh"), layers.BatchNormalization())
        chain = keras.Sequential([keras.Input((4,)), layers.Dense(4, "elu"), inner])
        model = moved(functional(chain, inner, layers.Dense(2)))
        assert_taken(fastnn.from_keras(model), wanted(model))
        outer = moved(keras.Sequential([model, layers.Softmax()]))
        assert_taken(fastnn.from_keras(outer), wanted(outer))

    def test_a_part_of_a_model(self):
        start = keras.Input((6,))
        middle = layers.Dense(4, "relu")(start)
        end = layers.Dense(2)(layers.Dense(3, "tanh")(middle))
        part = keras.Model(middle, end)
        assert_taken(fastnn.from_keras(part), wanted(part))

    def test_a_chain_whose_layers_were_made_in_another_order(self):
        last, first = layers.Dense(4), layers.Dense(4, "tanh")
        model = functional(first, last)
        assert_taken(fastnn.from_keras(model), wanted(model))

    def test_a_call_by_keyword(self):
        start = keras.Input((4,))
        model = keras.Model(start, layers.Dense(3)(inputs=start))
        assert_taken(fastnn.from_keras(model), wanted(model))

    def test_images_that_are_flattened_first(self):
        model = keras.Sequential(
            [keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3, "relu"), layers.Flatten()]
        )
        assert_taken(fastnn.from_keras(model), wanted(model, X.reshape(7, 2, 2, 1)))


def branches():
    """Models that are no chain of known layers, and what the refusal names."""
    start, other = keras.Input((4,)), keras.Input((4,))
    head = layers.Dense(4, name="head")(start)
    yield (
        keras.Model(start, layers.Add(name="sum")([start, head])),
        "called with 2 tensors;",
    )
    yield keras.Model(start, [head, layers.Dense(2)(start)]), "has 2 outputs"
    yield keras.Model([start, other], layers.Add()([start, other])), "has 2 inputs"
    yield keras.Model(start, layers.Add(name="twice")([head, head])), "Add 'twice' is called"
    yield keras.Model(start, keras.ops.relu(head)), r"Relu '\w+' \(keras.src.ops"
    yield keras.Model(start, keras.ops.softmax(head)), r"Softmax '\w+' \(keras.src.ops"
    yield keras.Model(start, head * 2), r"Multiply '\w+' is called with"
    for layer in (layers.BatchNormalization, layers.Dropout):
        kwargs = {"rate": 0.5} if layer is layers.Dropout else {}
        called = layer(name="busy", **kwargs)(head, training=True)
        yield keras.Model(start, called), f"{layer.__name__} 'busy' is called with training=True"
    kept = layer(0.5)(head, training=False)
    yield keras.Model(start, kept), None
    yield functional(layers.Masking(name="mask"), layers.Dense(2)), "Masking 'mask'"
    yield functional(layers.Dense(2), layers.Softmax(0, name="rows")), "'rows' has axis=0"

    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x) + 1

    class Twisted(keras.Sequential):
        def call(self, x, training=None, mask=None):
            return -super().call(x)

    class Dense(layers.Dense):
        def call(self, x, training=None):
            return -super().call(x)

    class Kept(layers.Dense):
        pass

    yield Own(), r"Own 'own' is no Sequential"
    yield keras.Sequential([keras.Input((4,)), Own()]), r"Own 'own' is no Sequential"
    yield Twisted([keras.Input((4,)), layers.Dense(2)]), "Twisted '.*' is no Sequential"
    yield functional(Dense(2, name="minus")), "Dense 'minus' has a call of its own"
    yield functional(Kept(2)), None
    patched = layers.Dense(2, name="patched")
    model = functional(patched)
    patched.call = lambda x: x
    yield model, "Dense 'patched' has a call of its own"
    yield functional(layers.Dense(2), layers.PReLU(name="p")), "PReLU 'p'"
    scaled = [layers.Rescaling(0.5, name="scale"), layers.Flatten(), layers.Dense(2)]
    yield keras.Sequential([keras.Input((3, 4)), *scaled]), "Rescaling 'scale'"
    yield keras.Sequential([keras.Input((3, 4)), layers.Dense(2)]), r"\(None, 3, 4\).*no Flatten"


CASES = 21  # which cannot be made before warnings are let through


@pytest.mark.parametrize("case", range(CASES))
def test_what_is_no_chain_is_refused_by_name(case):
    cases = list(branches())
    assert len(cases) == CASES
    model, told = cases[case]
    if told is None:
        assert_taken(fastnn.from_keras(model), wanted(model))
        return
    with pytest.raises(SettingError, match=told) as caught:
        fastnn.from_keras(model)
    assert "\n" not in str(caught.value)


#: For every parameter of a constructor: other values than its default.
OTHERS = {
    "activation": ["tanh", "swish", "mish", "leaky_relu", "relu6", "hard_sigmoid", "log_softmax"],
    "use_bias": [False],
    "lora_rank": [2],
    "lora_alpha": [3],
    "axis": [1],
    "momentum": [0.5, 0.0, 1.0],
    "epsilon": [0.3, 0.0],
    "center": [False],
    "scale": [False],
    "renorm": [True],
    "renorm_clipping": [{"rmax": 2.0}],
    "renorm_momentum": [0.5],
    "rate": [0.0, 0.5, 1.0],
    "stddev": [0.0, 0.5],
    "noise_shape": [(None, 1)],
    "seed": [3],
    "data_format": ["channels_first", "channels_last"],
    "max_value": [0.0, 0.3],
    "negative_slope": [0.0, 0.01, 0.1],
    "threshold": [0.5],
    "alpha": [0.5, 1],
    "quantization_config": [],
    "synchronized": [],
    **{
        f"{name}_initializer": ["ones", "random_normal"]
        for name in ("kernel", "bias", "beta", "gamma", "moving_mean", "moving_variance")
    },
    **{f"{name}_regularizer": ["l2"] for name in ("kernel", "bias", "activity", "beta", "gamma")},
    **{f"{name}_constraint": ["non_neg"] for name in ("kernel", "bias", "beta", "gamma")},
}
NEEDED = {
    "Dense": {"units": 4},
    "Activation": {"activation": "elu"},
    "Dropout": {"rate": 0.1},
    "GaussianNoise": {"stddev": 0.1},
}
#: Settings that must never lead to a refusal.
TAKEN = ("use_bias", "center", "scale", "seed", "stddev")


def variants():
    """Each layer that is taken, with each of its settings at other values, one at a time."""
    from fastnn.interop.keras_models import LAYERS

    for kind in LAYERS:
        if kind == "InputLayer":
            continue
        maker, needed = getattr(layers, kind), NEEDED.get(kind, {})
        yield pytest.param(maker, needed, None, id=kind)
        for name, parameter in list(inspect.signature(maker.__init__).parameters.items())[1:]:
            if parameter.kind == parameter.VAR_KEYWORD or name == "units":
                continue
            for value in OTHERS[name]:
                settings = {**needed, name: value}
                yield pytest.param(maker, settings, name, id=f"{kind}-{name}={value}")


@pytest.mark.parametrize(("maker", "settings", "changed"), list(variants()))
def test_every_setting_is_honoured_or_refused_by_name(maker, settings, changed):
    layer = maker(**settings, name="it")
    parts = [layers.Flatten(), layers.Dense(4)]
    parts = [layer, parts[1]] if maker is layers.Flatten else [parts[1], layer]
    shape = (2, 2) if maker is layers.Flatten else (4,)
    model = moved(keras.Sequential([keras.Input(shape), *parts]))
    if changed == "lora_rank":
        layer.lora_kernel_b.assign(np.ones((2, 4)))
    if changed == "renorm":
        layer.moving_stddev.assign(np.full(4, 2.0))
    try:
        net = fastnn.from_keras(model)
    except FastnnError as error:
        told = str(error)
    else:
        assert_taken(net, wanted(model, X.reshape(7, *shape)))
        return
    assert maker.__name__ in told or changed == "activation"
    # Its slope is another one than ours by default.
    assert (changed or {"LeakyReLU": "negative_slope"}[maker.__name__]) in told
    assert changed not in TAKEN
    assert not str(changed).endswith(("_initializer", "_regularizer", "_constraint"))


class TestActivations:
    @pytest.mark.parametrize(
        "name", ["relu", "gelu", "silu", "mish", "elu", "selu", "softplus", "tanh", "sigmoid"]
    )
    def test_by_name_and_as_functions(self, name):
        for given in (name, getattr(keras.activations, name)):
            for model in (
                functional(layers.Dense(4, activation=given), layers.Dense(2)),
                functional(layers.Dense(4), layers.Activation(given)),
            ):
                assert_taken(fastnn.from_keras(model), wanted(model))

    def test_as_layers(self):
        for given in (layers.ReLU(), layers.LeakyReLU(0.01), layers.ELU(), layers.Softmax()):
            model = functional(layers.Dense(4, activation=given))
            assert_taken(fastnn.from_keras(model), wanted(model))
        for given, told in (
            (layers.ReLU(max_value=0.1, name="cut"), "ReLU 'cut' has max_value"),
            (layers.LeakyReLU(name="wide"), "LeakyReLU 'wide' has negative_slope"),
            (layers.PReLU(name="learnt"), "PReLU 'learnt'"),
        ):
            with pytest.raises(SettingError, match=told):
                fastnn.from_keras(functional(layers.Dense(4, activation=given)))

    def test_functions_of_other_homes_are_refused_whatever_they_are_called(self):
        def relu(x):
            return -x

        for given, home in (
            (relu, __name__),
            (lambda x: x, __name__),
            (keras.ops.gelu, "keras.src.ops"),  # approximate by default, unlike activations.gelu
            (functools.partial(keras.activations.gelu, approximate=True), "functools"),
        ):
            model = functional(layers.Dense(4, activation=given, name="it"))
            with pytest.raises(SettingError, match=f"of Dense 'it' comes from {home}"):
                fastnn.from_keras(model)

    def test_names_in_a_list_of_weights(self):
        weights = [np.eye(4, 3), np.zeros(3)]
        for name in ({"class_name": "ReLU"}, keras.activations.relu, None, ["relu"]):
            with pytest.raises(SettingError, match=r"activation .* of layer 1 has no"):
                fastnn.from_keras(weights, activations=[name])


class TestNumbers:
    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_bfloat16", "float64"])
    def test_other_widths_are_taken(self, dtype):
        layer = layers.Dense(3, dtype=dtype)
        model = keras.Sequential([keras.Input((4,), dtype="float32"), layer])
        net = fastnn.from_keras(model)
        assert net.dtype == ("float64" if dtype == "float64" else "float32")
        expected = np.asarray(layer.get_weights()[0]).astype(np.float64)
        np.testing.assert_array_equal(net.parameters["W1"], expected)
        listed = fastnn.from_keras(model.get_weights(), activations=["linear"])
        np.testing.assert_array_equal(listed.parameters["W1"], net.parameters["W1"])

    @pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
    def test_quantised_layers_are_refused_by_name(self, mode):
        model = functional(layers.Dense(4, name="it"))
        model.quantize(mode)
        with pytest.raises(SettingError, match=f"Dense 'it' is quantised \\({mode}\\)"):
            fastnn.from_keras(model)

    def test_deltas_that_are_enabled_later_are_refused(self):
        layer = layers.Dense(4, name="it")
        model = functional(layer)
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(np.ones((2, 4)))
        with pytest.raises(SettingError, match="Dense 'it' has lora_rank=2"):
            fastnn.from_keras(model)

    def test_what_is_no_finite_real_number_is_refused_by_name(self):
        W = np.eye(4, 3)
        for weight, told in (
            (W.astype(complex), "complex128; fastnn's numbers are real"),
            (W.astype(np.int8), "int8; dequantise"),
            (W * np.nan, "finite, got nan"),
            (np.array([["a"]]), "<U1"),
        ):
            with pytest.raises(DataError, match=f"the weights of layer 1 must be .*{told}"):
                fastnn.from_keras([weight, np.zeros(3)], activations=["linear"])
        with pytest.raises(ShapeError, match="weights of layer 1 have rows of different lengths"):
            fastnn.from_keras([[[1.0], [1.0, 2.0]], [0.0]], activations=["linear"])
        with pytest.raises(ShapeError, match=r"biases of layer 1 must have shape \(3,\)"):
            fastnn.from_keras([W, np.zeros(1)], activations=["linear"])

    def test_layers_without_weights_yet(self):
        with pytest.raises(NotBuiltError, match="Dense 'it' has no weights yet"):
            fastnn.from_keras(keras.Sequential([layers.Dense(3, name="it")]))


def test_every_keras_layer_is_taken_right_or_refused_by_name():
    """Those that take rows and need no argument; what is not on the list is refused."""
    for name in sorted(dir(layers)):
        maker = getattr(layers, name)
        try:
            model = moved(functional(layers.Dense(4), maker(name="it")))
            expected = wanted(model)
        except Exception:
            continue  # it needs arguments, or images
        try:
            net = fastnn.from_keras(model)
        except SettingError as error:
            told = str(error)
        else:
            assert_taken(net, expected)
            continue
        assert f"{maker.__name__} 'it'" in told
