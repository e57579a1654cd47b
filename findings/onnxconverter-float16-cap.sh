#!/usr/bin/env bash
# onnxconverter-common's float16 conversion caps weights at 10000, where float16 reaches 65504.
#
# Versions: onnxconverter-common 1.16.0, onnx 1.23.2, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: a weight becomes the nearest float16: 20000 stays 20000, 6e-8, the least one above zero, is
#   kept, and what is smaller becomes 0.
# What happens: by default weights are first moved into [1e-7, 10000] in magnitude: 20000 becomes
#   10000, and 1e-8, which rounds to 0, grows tenfold. Warnings say so, of one number for each side.
#   max_finite_val and min_positive_val change the limits.
# Output seen:
#   [1e-08, 6e-08, 20000.0, -60000.0] -> [1.2e-07, 1.2e-07, 10000.0, -10000.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxconverter-common==1.16.0
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnxconverter_common import float16

weights = np.array([1e-8, 6e-8, 20000, -60000], np.float32)
values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
graph = helper.make_graph(
    [helper.make_node("Add", ["x", "w"], ["y"])],
    "g",
    values[:1],
    values[1:],
    initializer=[numpy_helper.from_array(weights, "w")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    halved = float16.convert_float_to_float16(model)
seen = numpy_helper.to_array(halved.graph.initializer[0])
print(*([float(f"{w:.2g}") for w in array] for array in (weights, seen)), sep=" -> ")
assert seen.dtype == np.float16 and said
np.testing.assert_allclose(seen.astype(float), [1e-7, 1e-7, 10000, -10000], rtol=0.3)
PY
