#!/usr/bin/env bash
# 10 ** -k is 0 in Numba where k is a variable: a grid of learning rates is all zeros.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: an integer to a negative integer power is a float inside @njit as in Python (0.001), or an
#   error as for NumPy's arrays.
# What happens: int64 ** int64 is int64, so 10 ** -3 is 0; 2 ** -1 with literals is folded by Python
#   and is 0.5. np.power of integer arrays gives 0 too, where NumPy refuses.
# Output seen:
#   10 ** -3: python 0.001, numba 0
#   literals: python 0.5, numba 0.5
#   np.power: numpy refuses, numba [0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np


def rate(k):
    return 10**-k


def literals():
    return 2**-1


def powers(a, k):
    return np.power(a, k)


ten, minus_three = np.array([10]), np.array([-3])
seen = numba.njit(rate)(3), numba.njit(literals)(), numba.njit(powers)(ten, minus_three)
print(f"10 ** -3: python {rate(3)}, numba {seen[0]}")
print(f"literals: python {literals()}, numba {seen[1]}")
try:
    powers(ten, minus_three)
except ValueError:
    print(f"np.power: numpy refuses, numba {seen[2]}")
else:
    raise SystemExit("NumPy no longer refuses")
assert rate(3) == 0.001 and seen[0] == 0 and seen[1] == 0.5 and seen[2].tolist() == [0]
PY
