#!/usr/bin/env bash
# ONNX's reference evaluator makes NaN of a log sum exp over impossible events; the sum is -inf.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 (CPython 3.11).
# Guess: ReduceLogSumExp of log probabilities that are all -inf is -inf (log of 0), as in SciPy,
#   PyTorch, np.logaddexp and onnxruntime; over an axis of length 0 the evaluator says so itself.
# What happens: it subtracts the maximum, -inf, from -inf.
# Output seen:
#   reference [nan], onnxruntime [-inf], np.logaddexp -inf
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

values = [helper.make_tensor_value_info(*given) for given in (
    ("x", TensorProto.FLOAT, [2]), ("y", TensorProto.FLOAT, [1]))]
graph = helper.make_graph([helper.make_node("ReduceLogSumExp", ["x"], ["y"])], "g",
                          values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
x = np.full(2, -np.inf, np.float32)
with np.errstate(all="ignore"):
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0].tolist()
runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0].tolist()
print(f"reference {reference}, onnxruntime {runtime}, np.logaddexp {np.logaddexp(*x)}")
assert np.isnan(reference[0]) and runtime == [-np.inf] and np.logaddexp(*x) == -np.inf
PY
