#!/usr/bin/env bash
# Numba adds a uint64 and an int64 array in wrapped integers, then calls the sum float64.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: uint64 + int64 is float64, as in NumPy, and so are the numbers: 2**63 + 1 is 9.22e18.
# What happens: for the operators + and * the numbers are added as 64-bit integers and the wrapped
#   result, read as signed, is converted to float64: 2**63 + 1 is -9.22e18. np.add, / and np.maximum
#   convert first and are right. Hashes and seeds are such numbers.
# Output seen:
#   numpy a + b  [9.223372036854775808e+18 1.844674407370955162e+19]
#   numba a + b  [-9.223372036854775808e+18 -2.000000000000000000e+00]
#   numba np.add [9.223372036854775808e+18 1.844674407370955162e+19]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np

a, b = np.array([2**63, 2**64 - 1], np.uint64), np.array([1, -1])
right = a + b
plus, add = numba.njit(lambda a, b: a + b)(a, b), numba.njit(lambda a, b: np.add(a, b))(a, b)
with np.printoptions(formatter={"float": "{:.18e}".format}):
    print("numpy a + b ", right)
    print("numba a + b ", plus)
    print("numba np.add", add)
assert right.dtype == plus.dtype == add.dtype == np.float64
assert right.tolist() == add.tolist() == [2.0**63, 2.0**64] and plus.tolist() == [-(2.0**63), -2]
PY
