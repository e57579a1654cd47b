#!/usr/bin/env bash
# ONNX's version converter changes what a softmax sums over, without a word.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 (CPython 3.11).
# Guess: convert_version keeps what a model computes, or refuses. Before opset 13 Softmax and
#   Hardmax flatten all axes from `axis` on into one, from 13 on they work along `axis` alone; for
#   Softmax from 11 to 13 the converter writes the needed Flatten and Reshape.
# What happens: Hardmax from 11 to 13 gets no Flatten, and Softmax from 13 down to 12 keeps its
#   axis: both models are valid, and other numbers come out for inputs of three axes.
# Output seen:
#   Softmax 11 -> 13: same True (Shape Flatten Softmax Reshape)
#   Hardmax 11 -> 13: same False (Hardmax), sum 2.0 -> 8.0
#   Softmax 13 -> 12: same False (Softmax), sum 8.0 -> 2.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, version_converter


def run(model):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3, 4]) for name in ("x", "y")]
found = []
for op, start, end in (("Softmax", 11, 13), ("Hardmax", 11, 13), ("Softmax", 13, 12)):
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], axis=1)], "g", values[:1], values[1:])
    opset = [helper.make_opsetid("", start)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=6)
    converted = version_converter.convert_version(model, end)
    checker.check_model(converted, full_check=True)
    before, after = run(model), run(converted)
    found.append(np.allclose(before, after))
    nodes = " ".join(node.op_type for node in converted.graph.node)
    sums = "" if found[-1] else f", sum {before.sum():.1f} -> {after.sum():.1f}"
    print(f"{op} {start} -> {end}: same {found[-1]} ({nodes}){sums}")
assert found == [True, False, False]
PY
