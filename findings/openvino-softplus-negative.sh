#!/usr/bin/env bash
# OpenVINO's Softplus is negative, or zero, where the exact value is 2e-9: its logarithm is NaN.
#
# Versions: openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: ln(1 + e**x) is above 0 for any x that float32 does not underflow for, and near e**x for
#   x below -10, as in other runtimes: variances and rates are modelled by it because of that.
# What happens: values are steps of about 1e-6 below x = -10; some, as at -20 and -18, are negative.
#   From -16 on down nothing of them is right. onnxruntime has full relative accuracy.
# Output seen:
#   x -20.0: OpenVINO -1.9073486328125e-06, onnxruntime 2.06e-09
#   x -18.0: OpenVINO -1.9073486328125e-06, onnxruntime 1.52e-08
#   x -15.0: OpenVINO 0.0, onnxruntime 3.06e-07
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper


graph = helper.make_graph(
    [helper.make_node("Softplus", ["x"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
data = model.SerializeToString()
x = np.array([-20, -18, -15], np.float32)
core = openvino.Core()
found = core.compile_model(core.read_model(data), "CPU")(x)[0]
runtime = onnxruntime.InferenceSession(data).run(None, {"x": x})[0]
for each in zip(x, found, runtime):
    print("x {}: OpenVINO {}, onnxruntime {:.3g}".format(*map(float, each)))
assert (found[:2] < 0).all() and found[2] == 0
np.testing.assert_allclose(runtime, np.log1p(np.exp(x.astype(float))), rtol=1e-5)
PY
