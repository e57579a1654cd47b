#!/usr/bin/env bash
# ONNX's reference evaluator quantises a large positive number to the least integer, not the largest.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: QuantizeLinear saturates, as its specification says, however far out of range a number is:
#   the evaluator that defines the operators gives 127 for all that is above the range of int8.
# What happens: x / scale is cast to int32 before it is clipped. From 2**31 on the cast overflows to
#   the most negative number, which is clipped to -128 (0 for uint8). Below that it saturates.
#   onnxruntime gives 127.
# Output seen:
#   of 2000000000.0: reference 127, onnxruntime 127
#   of 3000000000.0: reference -128, onnxruntime 127
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

graph = helper.make_graph(
    [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
    [helper.make_tensor_value_info("y", TensorProto.INT8, [2])],
    [
        helper.make_tensor("scale", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("zero", TensorProto.INT8, [], [0]),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
x = np.array([2e9, 3e9], np.float32)
with np.errstate(all="ignore"):
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0].tolist()
runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0].tolist()
for each in zip(x.tolist(), reference, runtime):
    print("of {}: reference {}, onnxruntime {}".format(*each))
assert reference == [127, -128] and runtime == [127, 127]
PY
