#!/usr/bin/env bash
# skl2onnx's Normalizer divides by another number: the largest entry, and 0 in float64.
#
# Versions: skl2onnx 1.20.0, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6
#   (CPython 3.11).
# Guess: the ONNX model scales rows as transform does: norm "max" divides by the largest absolute
#   entry (the signs stay), and a row of zeros stays a row of zeros.
# What happens: in float32, "max" divides by the largest entry with its sign, so that a row of
#   negative numbers turns positive and (1, -4) is left as it is. In float64 "max" is refused, and
#   norm "l2" makes NaN of a row of zeros, which in float32 it keeps.
# Output seen:
#   max, float32: transform [[0.25, -1.0], [-1.0, -0.5]], ONNX [[1.0, -4.0], [2.0, 1.0]]
#   l2, float32: transform [[0.0, 0.0]], ONNX [[0.0, 0.0]]
#   l2, float64: transform [[0.0, 0.0]], ONNX [[nan, nan]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scikit-learn==1.9.1 \
  skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.preprocessing import Normalizer

for norm, X, expected in (
    ("max", np.array([[1, -4], [-2, -1]], np.float32), [[1, -4], [2, 1]]),
    ("l2", np.zeros((1, 2), np.float32), [[0, 0]]),
    ("l2", np.zeros((1, 2)), [[np.nan, np.nan]]),
):
    model = Normalizer(norm).fit(X)
    session = onnxruntime.InferenceSession(to_onnx(model, X[:1]).SerializeToString())
    right, seen = model.transform(X), session.run(None, {"X": X})[0]
    print(f"{norm}, {X.dtype}: transform {right.tolist()}, ONNX {seen.tolist()}")
    np.testing.assert_array_equal(right, X / [[4], [2]] if norm == "max" else X)
    np.testing.assert_array_equal(seen, expected)
PY
