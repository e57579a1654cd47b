#!/usr/bin/env bash
# np.floor_divide(1, 0.1) is 10 in Numba, while 1 // 0.1 beside it is 9.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: inside @njit, np.floor_divide(a, b) and a // b are one operation, as in NumPy.
# What happens: // takes NumPy's way (by the exact remainder: 0.1 is a little more than a tenth, so
#   nine fit in), np.floor_divide rounds the quotient to 10 first. q * b + a % b is then not a.
# Output seen:
#   numpy: // 9.0, floor_divide 9.0, remainder 0.09999999999999995
#   numba: // 9.0, floor_divide 10.0, remainder 0.09999999999999995
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np


def three(a, b):
    return (a // b)[0], np.floor_divide(a, b)[0], (a % b)[0]


a, b = np.array([1.0]), np.array([0.1])
right, seen = three(a, b), numba.njit(three)(a, b)
for name, (slash, ufunc, rest) in (("numpy", right), ("numba", seen)):
    print(f"{name}: // {slash}, floor_divide {ufunc}, remainder {rest}")
assert right[:2] == (9, 9) and seen[:2] == (9, 10) and right[2] == seen[2]
PY
