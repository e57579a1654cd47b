#!/usr/bin/env bash
# onnxruntime's ReduceMax and ArgMax see a NaN only where it comes first.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64, CPU provider).
# Guess: a NaN among scores makes their maximum NaN wherever it stands, as in NumPy, PyTorch and
#   ONNX's reference evaluator; ArgMax then names its place. A broken input shows itself.
# What happens: ReduceMax of (nan, 1, 3) is nan, of (1, nan, 3) it is 3, and ArgMax is 2. A
#   classifier whose logits hold a NaN answers with a class, as if all were well.
# Output seen:
#   [nan, 1.0, 3.0]: max nan (reference nan), argmax 0 (reference 0)
#   [1.0, nan, 3.0]: max 3.0 (reference nan), argmax 2 (reference 1)
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
    ("x", TensorProto.FLOAT, [3]), ("max", TensorProto.FLOAT, []), ("arg", TensorProto.INT64, []))]
nodes = [helper.make_node("ReduceMax", ["x"], ["max"], keepdims=0),
         helper.make_node("ArgMax", ["x"], ["arg"], axis=0, keepdims=0)]
graph = helper.make_graph(nodes, "g", values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString())
seen = []
for x in ([np.nan, 1, 3], [1, np.nan, 3]):
    feed = {"x": np.array(x, np.float32)}
    most, arg = session.run(None, feed)
    true, place = ReferenceEvaluator(model).run(None, feed)
    print(f"{feed['x'].tolist()}: max {most} (reference {true}), argmax {arg} (reference {place})")
    seen.append((float(most), int(arg), float(true), int(place)))
np.testing.assert_array_equal(seen, [(np.nan, 0, np.nan, 0), (3, 2, np.nan, 1)])
PY
