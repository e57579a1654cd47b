#!/usr/bin/env bash
# OpenVINO drops a cast to bfloat16 or float16 and back: numbers are not rounded, 70000 stays finite.
#
# Versions: openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: two Cast nodes, to a narrow type and back to float32, round as the types do. Models that
#   emulate mixed precision are written so, and compiling for accuracy in float32 keeps what is said.
# What happens: the pair of casts is removed as if it did nothing, with the hints for float32 and
#   accuracy too: x minus the rounded x is 0. onnxruntime rounds, and gives infinity for 70000.
# Output seen:
#   BFLOAT16: OpenVINO [3.1415927410125732, 70000.0], onnxruntime [3.140625, 70144.0]
#   FLOAT16: OpenVINO [3.1415927410125732, 70000.0], onnxruntime [3.140625, inf]
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


x = np.array([np.pi, 70000], np.float32)
core = openvino.Core()
hints = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
for name, expected in (("BFLOAT16", [3.140625, 70144.0]), ("FLOAT16", [3.140625, np.inf])):
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["narrow"], to=getattr(TensorProto, name)),
            helper.make_node("Cast", ["narrow"], ["y"], to=TensorProto.FLOAT),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data = model.SerializeToString()
    found = core.compile_model(core.read_model(data), "CPU", hints)(x)[0].tolist()
    runtime = onnxruntime.InferenceSession(data).run(None, {"x": x})[0].tolist()
    print(f"{name}: OpenVINO {found}, onnxruntime {runtime}")
    assert found == x.tolist() and runtime == expected
PY
