#!/usr/bin/env bash
# onnxruntime's MeanVarianceNormalization makes NaN of a feature that is constant in the batch.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64, CPU provider).
# Guess: the operator is (x - mean) / (std + 1e-9), as its definition in ONNX says: 0 for a feature
#   whose numbers are all 3.
# What happens: the CPU kernel adds no epsilon and divides 0 by 0. The other features are right.
# Output seen:
#   onnxruntime [[-1.0, nan], [1.0, nan]]
#   reference   [[-1.0, 0.0], [1.0, 0.0]]
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

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in ("x", "y")]
node = helper.make_node("MeanVarianceNormalization", ["x"], ["y"], axes=[0])
graph = helper.make_graph([node], "g", values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
feed = {"x": np.array([[0, 3], [2, 3]], np.float32)}
seen = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0]
right = ReferenceEvaluator(model).run(None, feed)[0]
print("onnxruntime", seen.round(6).tolist())
print("reference  ", right.round(6).tolist())
np.testing.assert_allclose(right, [[-1, 0], [1, 0]], atol=1e-6)
np.testing.assert_allclose(seen, [[-1, np.nan], [1, np.nan]], atol=1e-6)
PY
