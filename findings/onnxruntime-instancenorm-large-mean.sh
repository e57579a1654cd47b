#!/usr/bin/env bash
# onnxruntime's InstanceNormalization loses all but a few bits where the mean is large.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64, CPU provider).
# Guess: numbers that float32 holds exactly, 1000000 ... 1000003, are normalised to -1.342, -0.447,
#   0.447, 1.342, as by the formula (x - mean) / sqrt(variance + epsilon) of the definition.
# What happens: the CPU kernel computes x s - mean s with s = 1 / sqrt(variance + epsilon): both
#   products are rounded at 745,000, in steps of 1/16, before they are subtracted. The variance is
#   right, and so is LayerNormalization. The answers are off by up to 3 %.
# Output seen:
#   InstanceNormalization [-1.3125, -0.4375, 0.4375, 1.375]
#   reference             [-1.3416, -0.4472, 0.4472, 1.3416]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 4]) for name in ("x", "y")]
parameters = [
    helper.make_tensor("scale", TensorProto.FLOAT, [1], [1.0]),
    helper.make_tensor("bias", TensorProto.FLOAT, [1], [0.0]),
]
node = helper.make_node("InstanceNormalization", ["x", "scale", "bias"], ["y"])
graph = helper.make_graph([node], "g", values[:1], values[1:], initializer=parameters)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
x = np.array([[[1000000, 1000001, 1000002, 1000003]]], np.float32)
seen = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0].ravel()
right = ReferenceEvaluator(model).run(None, {"x": x})[0].ravel()
print("InstanceNormalization", seen.round(4).tolist())
print("reference            ", [round(float(y), 4) for y in right])
np.testing.assert_allclose(right, (x - 1000001.5).ravel() / np.sqrt(1.25 + 1e-5), rtol=1e-4)
assert np.abs(seen - right).max() > 0.01
PY
