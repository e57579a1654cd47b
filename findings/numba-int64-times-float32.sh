#!/usr/bin/env bash
# An int64 array times a float32 array is float32 in Numba and float64 in NumPy.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: array arithmetic inside @njit has NumPy's result types; int64 with float32 is float64,
#   because float32 holds integers only up to 2**24.
# What happens: arrays of int32 or int64 with arrays of float32 are computed in float32, so larger
#   integers (row numbers, counts, sums of squares) are rounded. Elements do give float64: a
#   loop and its vectorised twin differ.
# Output seen:
#   arrays:   numpy 16777217.0 float64, numba 16777216.0 float32
#   elements: numpy 16777217.0, numba 16777217.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np


def arrays(a, b):
    return a * b


def elements(a, b):
    return a[0] * b[0]


for dtype in (np.int32, np.int64):
    a, b = np.array([2**24 + 1], dtype), np.ones(1, np.float32)
    right, seen = arrays(a, b), numba.njit(arrays)(a, b)
    assert right.dtype == np.float64 and right[0] == 2**24 + 1
    assert seen.dtype == np.float32 and seen[0] == 2**24
print(f"arrays:   numpy {right[0]} {right.dtype}, numba {seen[0]} {seen.dtype}")
one = elements(a, b), numba.njit(elements)(a, b)
print(f"elements: numpy {one[0]}, numba {one[1]}")
assert one == (2**24 + 1, 2**24 + 1)
PY
