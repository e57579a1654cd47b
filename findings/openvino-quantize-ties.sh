#!/usr/bin/env bash
# OpenVINO's QuantizeLinear rounds after it has added the zero point: halves go the other way.
#
# Versions: openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: the operator is round(x / scale) + zero point, halves to even, as ONNX defines it: integers
#   of a quantised model are the same in any runtime, so that a test may compare them.
# What happens: with an odd zero point 0.5 becomes 2, not 1: it computes round(x / scale + zero
#   point). Every second half differs by one step. With an even zero point the two agree.
# Output seen:
#   zero point 1: OpenVINO [2, 2, 4, 4], onnxruntime [1, 3, 3, 5]
#   zero point 2: OpenVINO [2, 4, 4, 6], onnxruntime [2, 4, 4, 6]
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


x = np.array([0.5, 1.5, 2.5, 3.5], np.float32)
core = openvino.Core()
for zero, expected in ((1, [2, 2, 4, 4]), (2, [2, 4, 4, 6])):
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [4])],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("zero", TensorProto.UINT8, [], [zero]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data = model.SerializeToString()
    found = core.compile_model(core.read_model(data), "CPU")(x)[0].tolist()
    runtime = onnxruntime.InferenceSession(data).run(None, {"x": x})[0].tolist()
    print(f"zero point {zero}: OpenVINO {found}, onnxruntime {runtime}")
    assert found == expected and runtime == (np.rint(x) + zero).tolist()
PY
