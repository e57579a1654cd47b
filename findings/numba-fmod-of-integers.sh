#!/usr/bin/env bash
# np.fmod of integers is no remainder in Numba: fmod(7, -2) is 7, fmod(-9, 5) is 2.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: np.fmod of signed integers is C's remainder inside @njit as outside it, with the sign of
#   the dividend and a size below the divisor's; floats and unsigned integers behave so.
# What happens: the signed numbers are divided as if they were unsigned. A result is wrong wherever
#   one of the two is negative, and can be larger than the divisor. np.remainder and % are right.
# Output seen:
#   numpy [1, -1, 1, -4]
#   numba [1, 1, 7, 2]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np

a, b = np.array([7, -7, 7, -9]), np.array([2, 2, -2, 5])
right, seen = np.fmod(a, b).tolist(), numba.njit(lambda a, b: np.fmod(a, b))(a, b).tolist()
print("numpy", right)
print("numba", seen)
unsigned = [x % 2**64 % (y % 2**64) for x, y in zip(a.tolist(), b.tolist())]
assert right == [1, -1, 1, -4] and seen == unsigned
assert numba.njit(lambda a, b: a % b)(a, b).tolist() == (a % b).tolist()
PY
