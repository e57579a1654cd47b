#!/usr/bin/env bash
# OpenVINO's Relu turns NaN into 0: a row with a missing number gets a sound-looking probability.
#
# Versions: openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: NaN in a row makes each unit of the first layer NaN, so each output too, by Relu as by any
#   other activation; a service that looks for NaN in what it answers finds the row.
# What happens: Relu(NaN) is 0, so that a network of Relu answers what its later biases make of
#   units that are all off. By Tanh the answer is NaN. onnxruntime gives NaN by both.
# Output seen:
#   Relu: OpenVINO [0.619, 0.381], onnxruntime [nan, nan]
#   Tanh: OpenVINO [nan, nan], onnxruntime [nan, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(0)
shapes = {"W1": (3, 8), "b1": (8,), "W2": (8, 2), "b2": (2,)}
weights = [
    numpy_helper.from_array(random.standard_normal(shape).astype("f"), name)
    for name, shape in shapes.items()
]
row = np.array([[1, np.nan, 2]], np.float32)


def predict(activation):
    """Return what OpenVINO and onnxruntime say of the row by a network of one hidden layer."""
    nodes = [
        helper.make_node("Gemm", ["x", "W1", "b1"], ["z"]),
        helper.make_node(activation, ["z"], ["a"]),
        helper.make_node("Gemm", ["a", "W2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, n])
        for name, n in (("x", 3), ("y", 2))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], initializer=weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    code = model.SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(code), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    other = onnxruntime.InferenceSession(code).run(None, {"x": row})[0]
    return compiled({"x": row})[0][0], other[0]


seen = {name: predict(name) for name in ("Relu", "Tanh")}
for name, answers in seen.items():
    print("{}: OpenVINO {}, onnxruntime {}".format(name, *([round(float(p), 3) for p in a] for a in answers)))
assert np.isfinite(seen["Relu"][0]).all() and np.isnan(seen["Relu"][1]).all()
assert np.isnan(seen["Tanh"]).all()
PY
