"""An exported network of any layers runs in onnxruntime and gives the network's outputs."""

import math
import warnings

import numpy as np
import pytest
from fastnn.kernels.opcodes import SELU_ALPHA, SELU_SCALE

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    Normalization,
    Rescaling,
)
from fastnn.errors import SettingError
from fastnn.export.stages import check_exportable
from fastnn.network.description import state_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    reference = pytest.importorskip("onnx.reference")

DTYPES = ["float32", "float64"]
RNG = np.random.default_rng(5)
X = RNG.normal(3, 2, (30, 6))
PIXELS = RNG.integers(0, 256, (30, 6), dtype=np.uint8)

#: Every activation by its formula, of z in float64.
RIGHT = {
    "identity": lambda z: z,
    "sigmoid": lambda z: np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z < 0, z / 100, z),
    "elu": lambda z: np.where(z < 0, np.expm1(np.minimum(z, 0)), z),
    "selu": lambda z: SELU_SCALE * np.where(z < 0, SELU_ALPHA * np.expm1(np.minimum(z, 0)), z),
    "softplus": lambda z: np.logaddexp(z, 0),
    "silu": lambda z: z * np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))),
    "gelu": lambda z: z * np.array([[math.erfc(-a / math.sqrt(2)) / 2 for a in r] for r in z]),
    "mish": lambda z: z * np.tanh(np.logaddexp(z, 0)),
    "exp": np.exp,
}


def test_no_activation_is_left_out():
    assert set(fastnn.activations.NAMES) <= {*RIGHT, "softmax"}


def runs(path):
    """The functions of X that a file is, by runtime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    evaluator = reference.ReferenceEvaluator(model)

    def evaluate(X):
        with np.errstate(all="ignore"):  # it computes both sides of every choice
            return evaluator.run(None, {"X": X})[0]

    return {"onnxruntime": lambda X: session.run(None, {"X": X})[0], "reference": evaluate}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(set(RIGHT) & set(fastnn.activations.NAMES)))
def test_every_activation_is_its_formula(name, dtype, tmp_path):
    """To 4 units in the last place of 1 or of z; outputs that can be tiny to 8 of their own."""
    ends = [-800, -90, -1e-9, 0, 1e-9] + [90, 800] * (name != "exp")
    z = np.concatenate([np.linspace(-30, 30, 601), ends])[:, None].astype(dtype)
    wanted, eps = RIGHT[name](z.astype(float)), float(np.finfo(dtype).eps)
    for layers in ([Dense(1, name)], [Dense(1), Activation(name), Dense(1)])[: 1 + (name != "exp")]:
        net = Network(layers, inputs=1, dtype=dtype)
        net.parameters.update(
            {key: np.ones_like(W) for key, W in net.parameters.items() if "W" in key}
        )
        net.to_onnx(tmp_path / "m.onnx")
        for runtime, run in runs(tmp_path / "m.onnx").items():
            found, tiny = run(z), name in ("softplus", "exp")
            if name == "sigmoid" and len(layers) == 1:
                other, found, tiny = found[:, :1], found[:, 1:], True
                np.testing.assert_allclose(other, RIGHT[name](-z.astype(float)), rtol=8 * eps)
            assert found.dtype == dtype
            error, size = np.abs(found - wanted), wanted if name == "exp" else np.abs(z)
            assert (error <= 4 * eps * np.maximum(1, size)).all(), (runtime, error.max())
            if tiny:
                below = np.abs(wanted) > np.finfo(dtype).smallest_normal
                assert (error <= 8 * eps * wanted)[below].all(), runtime


#: Networks of every layer and every kind of output, by name: layers, loss.
NORM = [Dense(7), BatchNorm(), Activation("relu"), Dropout(0.3), Dense(5, "tanh"), BatchNorm()]
NETWORKS = {
    "one sigmoid": ([Normalization(), Dense(4, "relu"), Dense(1, "sigmoid")], None),
    "three sigmoids": ([Rescaling(0.5, -1.0), GaussianNoise(0.1), Dense(3, "sigmoid")], None),
    "softmax": ([*NORM, Dense(3, "softmax")], None),
    "two of a softmax": ([Normalization(per_feature=False), Dense(2, "softmax")], None),
    "squared error": ([BatchNorm(), Dense(4, "elu", use_bias=False), Dense(2)], None),
    "absolute error": ([Normalization(), *NORM, Dense(1)], "absolute_error"),
    "huber": ([Dense(4, "silu"), Dense(1, use_bias=False), BatchNorm()], "huber"),
    "quantile": ([Dense(4, "leaky_relu"), Dense(1), Dropout(0.1)], "quantile"),
    "poisson": ([Rescaling(0.1), Dense(4, "mish"), Dense(3, "softplus")], "poisson"),
    "values of a sigmoid": ([Dense(2, "sigmoid"), GaussianNoise(0.1)], "absolute_error"),
    "squared error of a sigmoid": ([Dense(4, "selu"), Dense(2, "sigmoid")], "squared_error"),
}


def fitted(name, dtype, rows):
    """A network with biases, γ, β and averages that are not what they began as."""
    layers, loss = NETWORKS[name]
    net = Network(layers, inputs=6, loss=loss, dtype=dtype)
    for values in net.parameters.values():
        values[...] += RNG.uniform(0.1, 0.5, values.shape)
    K = 1 if net.loss == "categorical_cross_entropy" else net.outputs
    labels = RNG.integers(0, 2, (len(rows), K))
    net.fit(
        rows,
        labels,
        epochs=2,
        batch_size=10,
        optimizer=fastnn.GradientDescent(1e-4),
        progress=False,
    )
    return net


def outputs(net, rows):
    """What the graph gives: probabilities of all classes, or values (m, K)."""
    function = getattr(net.layers[-1], "activation", "identity")
    if function in ("sigmoid", "softmax"):
        return net.predict_proba(rows)
    return net.activations(rows)[-1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_gives_its_outputs(name, dtype, tmp_path):
    """To 1e-5 of the largest in float32 and 1e-12 in float64, for inputs of each dtype."""
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    for given in (PIXELS, X.astype("float32"), X):
        net = fitted(name, dtype, given)
        net.to_onnx(tmp_path / "m.onnx", input_dtype=given.dtype.name)
        wanted = outputs(net, given)
        for runtime, run in runs(tmp_path / "m.onnx").items():
            for m in (0, 1, len(given)):
                found = run(given[:m])
                assert found.dtype == dtype
                assert found.shape == (m, wanted.shape[1])
                off = np.abs(found - wanted[:m]).max(initial=0) / np.abs(wanted).max()
                assert off <= tolerance, (runtime, given.dtype, m)


@pytest.mark.parametrize("per_feature", [True, False])
@pytest.mark.parametrize("given", ["float32", "float64"])
def test_a_large_mean_does_not_cancel(given, per_feature, tmp_path):
    """z-scores of time stamps, whose float32 neighbours lie 128 apart, by a float32 network."""
    rows = (1.7e9 + 500 * RNG.normal(size=(200, 2))).astype(given)
    wide = rows.astype(float)
    axis = 0 if per_feature else None
    z = (wide - wide.mean(axis)) / wide.std(axis)
    net = Network([Normalization(per_feature=per_feature), Dense(2)], inputs=2)
    net.fit(rows, z, epochs=1, progress=False)
    net.parameters.update({"W1": np.eye(2), "b1": [0, 0]})
    net.to_onnx(tmp_path / "m.onnx", input_dtype=given)
    for run in runs(tmp_path / "m.onnx").values():
        np.testing.assert_allclose(run(rows), z, atol=2e-6)


def test_a_sigmoids_tails_come_from_its_logit(tmp_path):
    """Both classes of a logit of ±30, which onnxruntime's own operator cuts to 0."""
    net = Network([Dense(1, "sigmoid")], inputs=1, dtype="float64")
    net.parameters.update({"W1": [[1]]})
    net.to_onnx(tmp_path / "m.onnx")
    for run in runs(tmp_path / "m.onnx").values():
        found = run(np.array([[30.0], [-30.0], [700.0]]))
        tail = math.exp(-30) / (1 + math.exp(-30))
        wanted = [[tail, 1 - tail], [1 - tail, tail], [math.exp(-700), 1]]
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


@pytest.mark.parametrize("target", ["ONNX", "PyTorch"])
def test_an_activation_without_counterpart_is_named(target):
    net = Network([Dense(2, "mish"), Dense(1)], inputs=3)
    with pytest.raises(SettingError, match=rf"'mish' of Dense.*: {target} has no counterpart"):
        check_exportable(state_of(net), target, {"tanh"})
