#!/usr/bin/env bash
# ONNX's GroupNormalization gives 474 for 1.34 where the mean is large beside the spread.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, openvino 2026.4.1, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: four numbers 10000, 10001, 10002, 10003 are normalised to -1.34 ... 1.34 to three digits by
#   every runtime: float32 holds them exactly, and LayerNormalization of the same numbers is right.
# What happens: the operator is defined by other operators, and its variance there is the mean of the
#   squares less the square of the mean, which cancels in float32. onnxruntime has no kernel of its
#   own for it and runs the definition, as the reference evaluator does: the variance is 0 (or
#   negative for other numbers, which makes NaN), so that the epsilon alone scales. OpenVINO is right.
# Output seen:
#   GroupNormalization, onnxruntime: -474.34 474.34
#   GroupNormalization, reference: -474.34 474.34
#   GroupNormalization, OpenVINO: -1.34 1.34
#   LayerNormalization, onnxruntime: -1.34 1.34
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


def model_of(operator, length, **attributes):
    """Return a model, as bytes, of one operator with scale 1 and bias 0."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 4]) for name in ("x", "y")
    ]
    parameters = [
        helper.make_tensor(name, TensorProto.FLOAT, [length], [value] * length)
        for name, value in (("scale", 1.0), ("bias", 0.0))
    ]
    node = helper.make_node(operator, ["x", "scale", "bias"], ["y"], **attributes)
    graph = helper.make_graph([node], "g", values[:1], values[1:], initializer=parameters)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


x = np.array([[[10000, 10001, 10002, 10003]]], np.float32)
right = (x - x.mean()) / np.sqrt(x.astype(float).var() + 1e-5)
group = model_of("GroupNormalization", 1, num_groups=1)
layer = model_of("LayerNormalization", 4)
float32 = {"INFERENCE_PRECISION_HINT": "f32"}
compiled = openvino.Core().compile_model(
    openvino.Core().read_model(group.SerializeToString()), "CPU", float32
)
seen = {
    "GroupNormalization, onnxruntime": onnxruntime.InferenceSession(
        group.SerializeToString()
    ).run(None, {"x": x})[0],
    "GroupNormalization, reference": ReferenceEvaluator(group).run(None, {"x": x})[0],
    "GroupNormalization, OpenVINO": compiled({"x": x})[0],
    "LayerNormalization, onnxruntime": onnxruntime.InferenceSession(
        layer.SerializeToString()
    ).run(None, {"x": x})[0],
}
for name, y in seen.items():
    print(f"{name}: {y.min():.2f} {y.max():.2f}")
errors = [float(np.abs(y - right).max()) for y in seen.values()]
assert errors[0] > 0.1 and errors[1] > 0.1, errors
assert errors[2] < 1e-3 and errors[3] < 1e-3, errors
PY
