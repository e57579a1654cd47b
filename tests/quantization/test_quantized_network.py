"""Quantised networks: the values by plain formulas, the report, the refusals, the files."""

import json
import pickle
import struct

import numpy as np
import pytest

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    Network,
    Normalization,
    Rescaling,
    activations,
    kernels,
)
from fastnn.errors import DataError, ModelFileError, NotBuiltError, SettingError, ShapeError
from fastnn.quantization.calibration import bytes_of_range


def rows(n=300, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def trained(*layers, inputs=6, seed=0, **settings):
    """A network with weights, biases and statistics as if it were trained."""
    net = Network(list(layers), inputs=inputs, **settings)
    rng = np.random.default_rng(seed)
    for name, value in net.parameters.items():
        value += rng.normal(size=value.shape) * (0.2 if name[0] in "Wg" else 0.5)
    return net


def relu_net():
    return trained(Dense(8, "relu"), Dense(5, "relu"), Dense(3, "softmax"))


def by_formula(quantized, A):
    """The outputs of scaled rows A (m, n) by the formulas of QuantizeLinear, in float64."""
    for number, layer in enumerate(quantized.layers, start=1):
        scale, zero = float(layer.input.scale), layer.input.zero_point
        q = np.clip(np.rint(np.float32(A) / np.float32(scale)) + zero, 0, 255)
        W = layer.W.T * layer.scale.astype(np.float64)
        A = (q - zero) * scale @ W + layer.bias * scale * layer.scale.astype(np.float64)
        if layer.activation.name == "RELU":
            A = np.maximum(A, 0)
        elif number < len(quantized.layers):
            A = np.tanh(A)
    e = np.exp(A - A.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.medium
@pytest.mark.parametrize("backend", ["loops", "vectorized", "jitted"])
@pytest.mark.parametrize("hidden", ["relu", "tanh"])
def test_outputs_are_those_of_the_formulas(backend, hidden):
    if not kernels.get(backend).available:
        pytest.skip("nothing can be compiled here")
    net = trained(Dense(8, hidden), Dense(5, hidden), Dense(3, "softmax"))
    X = rows(40)
    with fastnn.backend(backend):
        small = net.quantize(X)
        np.testing.assert_allclose(small.predict_proba(X), by_formula(small, X), rtol=3e-6)


@pytest.mark.medium
def test_scales_are_those_of_the_sample():
    net, X = relu_net(), rows()
    small = net.quantize(X)
    W, b = net.parameters["W1"].astype(np.float64), net.parameters["b1"]
    first, second = small.layers[:2]
    np.testing.assert_allclose(first.scale, np.abs(W).max(axis=0) / 127, rtol=1e-6)
    np.testing.assert_allclose(first.input.scale, (X.max() - X.min()) / 255, rtol=1e-6)
    assert first.input.zero_point == round(-X.min() / float(first.input.scale))
    hidden = np.maximum(X @ W + b, 0)
    np.testing.assert_allclose(second.input.scale, hidden.max() / 255, rtol=1e-5)
    assert second.input.zero_point == 0
    assert np.abs(first.W).max(axis=1).min() == 127


def test_a_range_always_holds_zero():
    assert bytes_of_range(2.0, 5.1) == (np.float32(0.02), 0)
    assert bytes_of_range(-5.1, -2.0) == (np.float32(0.02), 255)
    assert bytes_of_range(-1.0, 4.1) == (np.float32(0.02), 50)
    assert bytes_of_range(0.0, 0.0) == (1, 0)
    assert bytes_of_range(0.0, 1e-44)[0] > 1e-20


@pytest.mark.medium
def test_the_report_says_how_far_outputs_are():
    net, X = relu_net(), rows()
    small = net.quantize(X)
    error = np.abs(small.predict_proba(X) - net.predict_proba(X))
    assert small.report.rows == len(X)
    np.testing.assert_allclose(small.report.max_error, error.max(), atol=1e-6)
    np.testing.assert_allclose(small.report.mean_error, error.mean(), atol=1e-6)
    assert small.report.same_labels == (small.predict(X) == net.predict(X)).mean()
    assert 0 < error.max() < 0.1
    assert f"up to {small.report.max_error:.3g}" in repr(small)
    assert "8 → 5" in str(small.summary())


@pytest.mark.medium
@pytest.mark.parametrize(
    "layers",
    [
        (Normalization(), Dense(9, "relu"), Dense(1, "sigmoid")),
        (
            Rescaling(0.5),
            Dense(9),
            BatchNorm(),
            Activation("silu"),
            Dropout(0.3),
            Dense(4, "sigmoid"),
        ),
        (BatchNorm(), Dense(9, "relu"), BatchNorm(), Dense(2)),
        (Normalization(), Dense(7, "gelu"), Dense(1)),
    ],
)
def test_what_surrounds_dense_layers_is_folded_into_them(layers):
    X = rows(200) * [1, 2, 3, 4, 5, 6] + 10
    net = Network(list(layers), scale_target=layers[-1].activation == "identity")
    y = (X[:, :4] > X.mean()).astype(np.int64) if layers[-1].units == 4 else X[:, :1] > 10
    if layers[-1].activation == "identity":
        y = 1000 + 50 * X[:, : layers[-1].units]
    net.fit(X, y, epochs=3, progress=False)
    small = net.quantize(X)
    given, found = net.predict(X), small.predict(X)
    assert given.shape == found.shape
    if net.loss == "squared_error":
        assert small.report.same_labels is None
        assert np.abs(given - found).max() < 0.05 * (given.max() - given.min())
    else:
        assert given.dtype == found.dtype
        assert (given == found).mean() > 0.95
        np.testing.assert_allclose(small.predict_proba(X), net.predict_proba(X), atol=0.1)


def test_rows_and_weights_that_are_constant():
    net = relu_net()
    net.parameters["W1"][:, 2] = 0  # of a unit whose bias alone is left
    net.parameters["b1"][2] = 3
    net.parameters["W1"][:, 3] = 0
    net.parameters["b1"][3] = 0
    net.parameters["W2"][...] = 0
    X = rows()
    X[:, 1] = 7
    np.testing.assert_allclose(net.quantize(X).predict_proba(X), net.predict_proba(X), atol=0.02)
    for constant in (0.0, 5.0, -5.0):
        X[...] = constant  # one number is held exactly
        given, found = net.predict_proba(X), net.quantize(X).predict_proba(X)
        np.testing.assert_allclose(found, given, atol=0.02)


def test_biases_far_larger_than_weights_do_not_leave_int32():
    net = trained(Dense(3), inputs=2)
    net.parameters["W1"][...] = [[1e-9, 1, 0], [2e-9, 1, 0]]
    net.parameters["b1"][...] = [1e6, -1e3, 1e-3]
    X = rows(50, 2)
    np.testing.assert_allclose(net.quantize(X).predict(X), net.predict(X), rtol=1e-6, atol=0.05)


@pytest.mark.medium
def test_more_than_the_allowed_error_is_refused():
    net, X = relu_net(), rows()
    X[0, 0] = 500.0  # which takes the bytes of all other numbers
    error = net.quantize(X).report.max_error
    assert net.quantize(X, max_error=error).report.max_error == error
    with pytest.raises(SettingError, match=r"row \d+ of X_sample.*most of it by dense layer 1"):
        net.quantize(X, max_error=error / 2)
    for wrong in (0, -1, "small", np.nan):
        with pytest.raises(SettingError, match="max_error"):
            net.quantize(X, max_error=wrong)


def test_bad_samples_and_networks_are_refused():
    net, X = relu_net(), rows()
    with pytest.raises(NotBuiltError, match="not trained"):
        Network([Dense(2)], inputs=6).quantize(X)
    with pytest.raises(NotBuiltError, match="fit"):
        Network([Normalization(), Dense(2)], inputs=6).quantize(X)
    with pytest.raises(NotBuiltError, match="number of features"):
        Network([Dense(2)]).quantize(X)
    for wrong, error, words in (
        (X[:, :5], ShapeError, "expects inputs of shape"),
        (X[:0], ShapeError, "X_sample is empty"),
        (X * np.nan, DataError, "X_sample"),
        (np.where(X[3, 2] == X, np.inf, X), DataError, "X_sample"),
        (X.astype(np.float64) * 1e300, DataError, "X_sample"),
        ([["a"] * 6], DataError, "X_sample"),
    ):
        with pytest.raises(error, match=words):
            net.quantize(wrong)
    with pytest.raises(SettingError, match="BatchNorm"):
        trained(Dense(2), Activation("relu"), BatchNorm()).quantize(X)
    with pytest.raises(SettingError, match="activation 'tanh' where it stands"):
        trained(Dense(2, "relu"), Activation("tanh"), Dense(1)).quantize(X)
    for name in ("W1", "W2"):
        net.parameters[name][...] *= 1e37
    with pytest.raises(DataError, match="inputs of dense layer 3 leave float32"):
        net.quantize(X)


@pytest.mark.medium
def test_custom_activations_and_wide_layers_are_refused():
    activations.register("own_for_int8", lambda z: z, np.ones_like)
    with pytest.raises(SettingError, match=r"own_for_int8.*int8 prediction has no counterpart"):
        trained(Dense(2, "own_for_int8"), Dense(1)).quantize(rows())
    with pytest.raises(SettingError, match=r"40,000 inputs"):
        trained(Dense(1), inputs=40_000).quantize(rows(2, 40_000))


def test_bad_rows_are_refused():
    small, X = relu_net().quantize(rows()), rows(5)
    for _ in range(2):
        small.predict(X)
        for wrong, error in (
            (X[:, :3], ShapeError), (X[0], ShapeError), (X[:0], ShapeError), (X[0, 0], ShapeError),
            (np.where(X > 1, np.nan, X), DataError), (X.astype(np.float64) * 1e300, DataError),
        ):  # fmt: skip
            with pytest.raises(error):
                small.predict(wrong)
    with pytest.raises(SettingError, match="threshold"):
        small.predict(X, threshold=0.3)
    with pytest.raises(SettingError, match="no probabilities"):
        trained(Dense(2)).quantize(X).predict_proba(X)


def test_thresholds_of_sigmoids():
    small, X = trained(Dense(4, "relu"), Dense(1, "sigmoid")).quantize(rows()), rows(90)
    p = small.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(small.predict(X), p > 0.5)
    np.testing.assert_array_equal(small.predict(X, threshold=0.7), p > 0.7)
    for wrong, error in ((2.0, SettingError), ([0.1, 0.2], ShapeError)):
        with pytest.raises(error, match="threshold"):
            small.predict(X, threshold=wrong)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_stays_as_it_is(dtype):
    net, X = trained(Dense(4, "relu"), Dense(2, "softmax"), dtype=dtype), rows()
    before = {name: value.copy() for name, value in net.parameters.items()}
    assert net.quantize(X).predict_proba(X).dtype == np.float32
    for name, value in net.parameters.items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.medium
@pytest.mark.parametrize("scaled", [False, True])
def test_files_and_pickles_give_the_same_bits(tmp_path, scaled):
    X, y = rows(), rows()[:, 0] > 0
    first = [Normalization()] if scaled else []
    net = Network([*first, Dense(5, "relu"), Dense(1, "sigmoid")])
    net.fit(X, y, epochs=1, progress=False)
    small, path = net.quantize(X), tmp_path / "small.safetensors"
    small.save(path)
    for other in (fastnn.load(path), pickle.loads(pickle.dumps(small))):
        np.testing.assert_array_equal(other.predict_proba(X), small.predict_proba(X))
        assert other.report == small.report
        assert repr(other) == repr(small)
    with pytest.raises(SettingError, match="safetensors"):
        small.save(tmp_path / "small.h5")
    assert path.stat().st_size < 4000 + 2 * small.nbytes


def forge(path, change):
    """Write a file anew with another description, and without checksums."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    described = json.loads(header["__metadata__"]["quantized"])
    change(described, header)
    kept = {k: v for k, v in header["__metadata__"].items() if not k.startswith("checksum")}
    header["__metadata__"] = kept | {"quantized": json.dumps(described)}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def swapped(described, header):
    header["W1"], header["W2"] = header["W2"], header["W1"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d, h: d["layers"][0].update(activation="softmax"),
        lambda d, h: d["layers"][0].update(activation="none"),
        lambda d, h: d["layers"][0].update(input_zero_point=256),
        lambda d, h: d["layers"][0].update(input_zero_point=1.5),
        lambda d, h: d["layers"][0].update(input_scale=0),
        lambda d, h: d["layers"][0].update(input_scale=1e300),
        lambda d, h: d["layers"].pop(),
        lambda d, h: d["layers"].append(d["layers"][0]),
        lambda d, h: d.update(layers=[]),
        lambda d, h: d.update(offset=1.0),
        lambda d, h: d.update(report={"rows": 1}),
        lambda d, h: d.pop("output"),
        lambda d, h: d["output"].update(loss="none"),
        lambda d, h: d["output"].update(loss="binary_cross_entropy"),  # of softmax outputs
        lambda d, h: d["output"].update(metrics=["none"]),
        lambda d, h: d["output"].update(target_scaling=[[0.0, 0.0], [1.0, 0.0]]),
        lambda d, h: d["output"].update(target_scaling=[[0.0], [1.0]]),
        lambda d, h: h["scale1"].update(dtype="I32"),
        swapped,
    ],
)
def test_forged_files_are_refused(tmp_path, change):
    net = trained(Dense(4, "relu"), Dense(2, "softmax"))
    path = tmp_path / "small.safetensors"
    net.quantize(rows()).save(path)
    forge(path, lambda d, h: None)
    fastnn.load(path)
    forge(path, change)
    with pytest.raises(ModelFileError, match="not a usable model file"):
        fastnn.load(path)
