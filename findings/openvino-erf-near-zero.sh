#!/usr/bin/env bash
# OpenVINO's Erf is 0 for 1e-7 and three digits right for 1e-5, where erf(x) is 1.128 x.
#
# Versions: openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: near zero Erf keeps the relative accuracy of float32, about 1e-7, as in the C library and
#   in other runtimes.
# What happens: what it computes is right to 1e-7 of 1, not of the value: it moves in steps of 1.2e-7
#   (a difference of numbers near 1), and below 1e-7 it is 0. onnxruntime has full accuracy.
# Output seen:
#   x 1e-07: OpenVINO 0, exact 1.128e-07
#   x 1e-06: OpenVINO 1.192e-06, exact 1.128e-06
#   x 1e-05: OpenVINO 1.109e-05, exact 1.128e-05
#   x 0.1: OpenVINO 0.1125, exact 0.1125
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
"$folder/venv/bin/python" - <<'PY'
import math

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("Erf", ["x"], ["y"])], "g", values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
code = model.SerializeToString()
x = np.array([1e-7, 1e-6, 1e-5, 0.1], np.float32)
core = openvino.Core()
float32 = {"INFERENCE_PRECISION_HINT": "f32"}
seen = core.compile_model(core.read_model(code), "CPU", float32)({"x": x})[0]
other = onnxruntime.InferenceSession(code).run(None, {"x": x})[0]
right = np.array([math.erf(each) for each in x.tolist()])
for each in zip(x.tolist(), seen.tolist(), right.tolist()):
    print("x {:.3g}: OpenVINO {:.4g}, exact {:.4g}".format(*each))
np.testing.assert_allclose(other, right, rtol=1e-6)
errors = np.abs(seen / right - 1)
assert errors[0] > 0.5 and errors[1] > 0.01 and errors[3] < 1e-5, errors
PY
