#!/usr/bin/env bash
# onnxruntime's Elu, Selu and Celu lose their digits below zero: Elu(-1e-8) is 0.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64, CPU provider).
# Guess: near zero Elu(x) is x to rounding (exp(x) - 1 by expm1, or an equally good approximation),
#   so that small activations go through as they do in PyTorch and ONNX's reference evaluator.
# What happens: exp is rounded to float32 before 1 is subtracted. What remains is a multiple of
#   6e-8: 19 % too large at -1e-7, zero at -1e-8. Positive inputs are exact.
# Output seen:
#   x -0.0001: Elu/x 1.00017 (reference 0.99995)
#   x -1e-07: Elu/x 1.19209 (reference 1)
#   x -1e-08: Elu/x -0 (reference 1)
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

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("x", "y")]
x = np.array([-1e-4, -1e-7, -1e-8], np.float32)
ratios = {}
for op in ("Elu", "Selu", "Celu"):
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "g", values[:1], values[1:])
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    seen = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    right = ReferenceEvaluator(model).run(None, {"x": x})[0]
    assert seen[1] / right[1] > 1.1 and seen[2] == 0 > right[2]
    ratios[op] = seen / x, right / x
for logit, ratio, exact in zip(x, *ratios["Elu"]):
    print(f"x {logit:.3g}: Elu/x {ratio:.6g} (reference {exact:.6g})")
PY
