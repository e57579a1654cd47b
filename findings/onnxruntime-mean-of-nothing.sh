#!/usr/bin/env bash
# onnxruntime's ReduceMean over an axis of length 0 is 0; the reference evaluator's is NaN.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64, CPU provider).
# Guess: a mean over no elements is NaN, as in NumPy, PyTorch and ONNX's reference evaluator, or is
#   refused; a maximum over none is -inf, a sum 0 (they are, in both).
# What happens: ReduceMean answers 0. The mean loss of an empty batch looks perfect.
# Output seen:
#   ReduceMean [0.0, 0.0] (reference [nan, nan])
#   ReduceMax [-inf, -inf] (reference [-inf, -inf])
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

values = [helper.make_tensor_value_info(*given) for given in (
    ("x", TensorProto.FLOAT, [2, None]), ("axes", TensorProto.INT64, [1]),
    ("y", TensorProto.FLOAT, [2]))]
feed = {"x": np.zeros((2, 0), np.float32), "axes": np.array([1])}
warnings.simplefilter("ignore")
found = {}
for op in ("ReduceMean", "ReduceMax"):
    node = helper.make_node(op, ["x", "axes"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "g", values[:2], values[2:])
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    seen = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0].tolist()
    right = ReferenceEvaluator(model).run(None, feed)[0].tolist()
    print(op, seen, f"(reference {right})")
    found[op] = seen, right
assert found["ReduceMean"][0] == [0, 0] and np.isnan(found["ReduceMean"][1]).all()
assert found["ReduceMax"] == ([-np.inf] * 2, [-np.inf] * 2)
PY
