#!/usr/bin/env bash
# The largest-entry norm of a gradient with a NaN is finite in Numba, and so is clipping by NaN.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: np.linalg.norm is NaN inside @njit where the vector or matrix holds a NaN, for each order,
#   as in NumPy; and np.clip by a NaN bound is NaN, as NumPy documents for its minimum and maximum.
# What happens: order 2 is NaN, but inf, -inf and the matrix norms 1 and inf see a NaN only where
#   it comes first. np.clip leaves out a bound that is NaN. A check "is the norm finite" passes.
# Output seen:
#   vector, inf: numpy nan, numba 3.0
#   matrix, 1:   numpy nan, numba 4.0
#   clip at NaN: numpy [nan nan], numba [0. 5.]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np


def largest(a):
    return np.linalg.norm(a, np.inf)


def columns(a):
    return np.linalg.norm(a, 1)


def clip(a, bound):
    return np.clip(a, -bound, bound)


vector, matrix = np.array([1, np.nan, 3]), np.array([[1, np.nan], [3, 4]])
seen = numba.njit(largest)(vector), numba.njit(columns)(matrix)
print(f"vector, inf: numpy {largest(vector)}, numba {seen[0]}")
print(f"matrix, 1:   numpy {columns(matrix)}, numba {seen[1]}")
clipped = np.array([0.0, 5.0])
clips = clip(clipped, np.nan), numba.njit(clip)(clipped, np.nan)
print(f"clip at NaN: numpy {clips[0]}, numba {clips[1]}")
assert np.isnan(largest(vector)) and np.isnan(columns(matrix)) and seen == (3, 4)
assert np.isnan(clips[0]).all() and clips[1].tolist() == [0, 5]
PY
