#!/usr/bin/env bash
# After quantize_dynamic a row's answer depends on its neighbours: one large row wipes it out.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: rows of a batch are predicted one by one, as by the float32 network: asking for a row alone
#   or beside others gives the same numbers.
# What happens: DynamicQuantizeLinear has one scale for the whole batch. Beside a row that is 1000
#   times as large all numbers of the first become the byte of zero, and its answer is the bias.
# Output seen:
#   alone 10.02, beside a large row 0.0; float32 10.0 and 10.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

weights = np.array([[1.0], [2.0], [3.0], [-1.0]], np.float32)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
    initializer=[numpy_helper.from_array(weights, "w")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
row = np.array([[1, 2, 3, 4]], np.float32)
both = np.concatenate([row, 1000 * row])
with tempfile.TemporaryDirectory() as folder:
    plain, small = (os.path.join(folder, name) for name in ("plain.onnx", "small.onnx"))
    onnx.save(model, plain)
    quantize_dynamic(plain, small)
    answers = [
        float(onnxruntime.InferenceSession(file).run(None, {"x": x})[0][0, 0])
        for file in (small, plain)
        for x in (row, both)
    ]
print("alone {:.4g}, beside a large row {}; float32 {} and {}".format(*answers))
assert abs(answers[0] - 10) < 0.5 and answers[1:] == [0, 10, 10]
PY
