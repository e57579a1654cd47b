#!/usr/bin/env bash
# With parallel=True, Numba's max and min of an array pass over NaN; without it they are NaN.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: parallel=True changes the time and the last bits of a sum, not what np.max answers; a NaN
#   among the numbers makes it NaN, as in NumPy and as with parallel=False.
# What happens: the reduction compares with > and <, and NaN loses each comparison. The maximum of
#   nothing but NaN is -inf. sum, mean and argmax of the same array do show the NaN.
# Output seen:
#   [nan, 1, 2]: serial max nan min nan, parallel max 2.0 min 1.0
#   [nan, nan]: serial max nan min nan, parallel max -inf min inf
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np


def extremes(a):
    return np.max(a), np.min(a), np.sum(a)


serial, parallel = numba.njit(extremes), numba.njit(extremes, parallel=True)
for x, expected in (([np.nan, 1, 2], (2, 1)), ([np.nan, np.nan], (-np.inf, np.inf))):
    x = np.array(x, np.float64)
    one, many = serial(x), parallel(x)
    name = "[" + ", ".join(f"{v:g}" for v in x) + "]"
    print(f"{name}: serial max {one[0]} min {one[1]}, parallel max {many[0]} min {many[1]}")
    assert np.isnan(one).all() and np.isnan(many[2]) and many[:2] == expected
PY
