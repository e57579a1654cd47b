"""ONNX models of quantised networks: onnxruntime gives the same numbers."""

import functools

import numpy as np
import pytest

import fastnn
from fastnn import Dense, Network, Normalization, Rescaling, data, kernels
from fastnn.errors import SettingError

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.medium


def outputs(path, X, optimised):
    """The outputs of a model file, with onnxruntime's own optimisations or without."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})[0]


def fitted(layers, X, y, **settings):
    net = Network(list(layers), **settings)
    net.fit(X, y, epochs=3, progress=False)
    return net


def digits():
    found = data.digits()
    return data.flatten_images(found.X), found.y


NETS = {
    "relu": [Normalization(), Dense(40, "relu"), Dense(20, "relu"), Dense(10, "softmax")],
    "bytes": [Rescaling(1 / 16), Dense(40, "relu"), Dense(10, "softmax")],
    "tanh": [Rescaling(1 / 16), Dense(30, "tanh"), Dense(20, "silu"), Dense(10, "softmax")],
    "sigmoid": [Dense(30, "leaky_relu"), Dense(1, "sigmoid")],
    "values": [Normalization(), Dense(30), Dense(12, "relu"), Dense(2)],
}


@functools.cache
def quantized(name):
    """The quantised network of one of NETS, fitted to digits."""
    X, y = digits()
    y = {"sigmoid": y > 4, "values": np.stack([y * 100.0, 7.0 - y], axis=1)}.get(name, y)
    scaled = {"scale_target": True} if name == "values" else {}
    return fitted(NETS[name], X, y, **scaled).quantize(X[:500])


@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("name", list(NETS))
def test_onnxruntime_gives_the_same_numbers(tmp_path, name, optimised):
    """All outputs to 1e-5 of the largest, but of rows where a number lies between two bytes.

    One step of one unit is then another; such rows are few, and they are off by no more than that
    step. Without optimisations onnxruntime computes in float32, with them in integers.
    """
    X, small = digits()[0], quantized(name)
    path = str(tmp_path / "small.onnx")
    kind = "uint8" if name in ("bytes", "tanh") else None
    small.to_onnx(path, input_dtype=kind)
    A = outputs(path, X if kind else X.astype(np.float32), optimised)
    wanted = small.predict(X) if name == "values" else small.predict_proba(X)
    assert A.shape == wanted.shape
    error = np.abs(A - wanted).max(axis=1) / np.abs(wanted).max()
    assert np.mean(error > 1e-5) < 0.005
    assert error.max() < 0.05


def test_the_graph_holds_bytes_and_a_scale_for_each_unit(tmp_path):
    small = quantized("relu")
    path = tmp_path / "small.onnx"
    small.to_onnx(path)
    model = onnx.load(path)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("QuantizeLinear") == 3
    assert kinds.count("DequantizeLinear") == 3 * 3
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    octets = [t for t in tensors.values() if t.dtype == np.uint8 and t.ndim == 2]
    assert [t.shape for t in octets] == [(64, 40), (40, 20), (20, 10)]
    np.testing.assert_array_equal(octets[0].T.astype(int) - 128, small.layers[0].W)
    assert [len(t) for t in tensors.values() if t.dtype == np.int32 and t.any()] == [40, 20, 10]


def test_another_input_dtype_is_refused(tmp_path):
    net = Network([Dense(2)], inputs=3)
    net.parameters["b1"][...] = 1
    small = net.quantize(np.ones((4, 3)))
    with pytest.raises(SettingError, match="input_dtype must be one of"):
        small.to_onnx(tmp_path / "small.onnx", input_dtype="int8")


def test_every_backend_exports_the_same(tmp_path):
    X, y = digits()
    net = fitted(NETS["relu"], X, y)
    found = []
    for name in ("vectorized", "jitted"):
        if kernels.get(name).available:
            with fastnn.backend(name):
                net.quantize(X[:100]).to_onnx(tmp_path / "small.onnx")
            found.append((tmp_path / "small.onnx").read_bytes())
    assert len(set(found)) == 1
