#!/usr/bin/env bash
# onnxruntime's float32 Sigmoid is 0 from logit -18 on, where 1.5e-8 is right.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64, CPU provider).
# Guess: Sigmoid is right to a few units in the last place for every logit, as its float32 result
#   can be (down to 1e-38), so that a small probability keeps its logarithm.
# What happens: a clamped rational approximation. At -17 it is 8.9e-8 for 4.1e-8, from -18 on
#   exactly 0: an odds or a log loss taken from it is infinite.
# Output seen:
#   logit -17: 8.940697e-08 for 4.13994e-08
#   logit -18: 0 for 1.523e-08
#   logit -30: 0 for 9.35762e-14
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", *map(list, zip(values)))
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
x = np.array([-17, -18, -30], np.float32)
seen = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
right = 1 / (1 + np.exp(-x.astype(np.float64)))
for logit, p, q in zip(x, seen, right):
    print(f"logit {logit:.0f}: {p:.7g} for {q:.6g}")
assert seen[0] > 2 * right[0] and seen[1] == seen[2] == 0
PY
