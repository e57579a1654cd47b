#!/usr/bin/env bash
# DynamicQuantizeLinear of zeros: three runtimes give three scales, 1, 1/255 and 0.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, openvino 2026.4.1, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: the scale is (max - min) / 255 with 0 counted in, as the operator is defined, so 0 for a
#   batch of zeros, which dead units after Relu are; all runtimes that pass ONNX's tests agree.
# What happens: onnxruntime takes 1, the reference evaluator 1/255, OpenVINO the 0 of the formula.
#   The bytes are 0 in each. Who multiplies by the scale sees no difference; who divides by it, or
#   compares runtimes by it, does.
# Output seen:
#   onnxruntime: scale 1.0
#   reference: scale 0.003921568859368563
#   OpenVINO: scale 0.0
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
from onnx.reference import ReferenceEvaluator

kinds = {"y": TensorProto.UINT8, "scale": TensorProto.FLOAT, "zero": TensorProto.UINT8}
graph = helper.make_graph(
    [helper.make_node("DynamicQuantizeLinear", ["x"], list(kinds))],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
    [
        helper.make_tensor_value_info(name, kind, [3] if name == "y" else [])
        for name, kind in kinds.items()
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
code = model.SerializeToString()
feed = {"x": np.zeros(3, np.float32)}
core = openvino.Core()
compiled = core.compile_model(core.read_model(code), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
answers = compiled(feed)
seen = {
    "onnxruntime": onnxruntime.InferenceSession(code).run(None, feed),
    "reference": ReferenceEvaluator(model).run(None, feed),
    "OpenVINO": [answers[end] for end in compiled.outputs],
}
for name, (_, scale, _) in seen.items():
    print(f"{name}: scale {float(scale)}")
assert all(not np.any(y) for y, _, _ in seen.values())
scales = [float(scale) for _, scale, _ in seen.values()]
np.testing.assert_allclose(scales, [1, 1 / 255, 0], rtol=1e-6)
PY
