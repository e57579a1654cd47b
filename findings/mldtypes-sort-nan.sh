#!/usr/bin/env bash
# np.sort leaves numbers of ml_dtypes unsorted if one is NaN.
#
# Versions: ml_dtypes 0.6.0, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: NaN goes to the end and the others are sorted, as NumPy says of its floats, and as it does
#   for float16.
# What happens: the order that ml_dtypes gives NumPy takes any comparison with NaN as "not less",
#   and an insertion sort stops there: 3 stays before 1. Quantiles of such an array are wrong too.
# Output seen:
#   bfloat16 [3.0, nan, 1.0, 2.0]
#   float8_e4m3fn [3.0, nan, 1.0, 2.0]
#   float16 [1.0, 2.0, 3.0, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import ml_dtypes
import numpy as np

seen = {}
for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16):
    seen[dtype] = np.sort(np.array([3, np.nan, 1, 2], dtype)).astype(float)
    print(np.dtype(dtype).name, seen[dtype].tolist())
np.testing.assert_array_equal(seen[np.float16], [1, 2, 3, np.nan])
for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
    assert seen[dtype][0] == 3
PY
