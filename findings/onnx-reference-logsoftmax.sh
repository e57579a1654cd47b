#!/usr/bin/env bash
# ONNX's reference evaluator takes log softmax as the log of softmax: -inf for logits 750 apart.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 (CPython 3.11).
# Guess: the evaluator that defines the operators computes LogSoftmax stably, x - max - log sum exp;
#   the separate operator exists for no other reason.
# What happens: it subtracts the maximum, then takes log(exp / sum), which underflows: -inf, with a
#   warning, where the exact value is -750 (float32 from about 104 apart on). onnxruntime is right.
# Output seen:
#   reference [0.0, -inf], onnxruntime [0.0, -750.0]
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

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("LogSoftmax", ["x"], ["y"])], "g", *map(list, zip(values)))
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
feed = {"x": np.array([[750, 0]], np.float32)}
with np.errstate(all="ignore"):
    reference = ReferenceEvaluator(model).run(None, feed)[0][0].tolist()
runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0][0].tolist()
print(f"reference {reference}, onnxruntime {runtime}")
assert reference == [0.0, -np.inf] and runtime == [0.0, -750.0]
PY
