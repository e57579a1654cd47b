#!/usr/bin/env bash
# Numba adds float32 numbers one by one, NumPy pairwise: a mean of 20 million is 5 % off.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: np.sum and np.mean inside @njit give NumPy's value to rounding, as the same functions do
#   outside it (NumPy documents pairwise summation for them).
# What happens: the compiled sum keeps one float32 total. It stops growing where a summand is below
#   half a unit in the last place of the total, here at 2**21. The mean is 0.1048576, not 0.1.
# Output seen:
#   numpy 2.0000002e+06 0.10000001
#   numba 2097152.0 0.10485760122537613
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np

x = np.full(20_000_000, 0.1, np.float32)
total, mean = numba.njit(lambda a: np.sum(a)), numba.njit(lambda a: np.mean(a))
print("numpy", x.sum(), x.mean())
print("numba", total(x), mean(x))
assert abs(x.mean() - 0.1) < 1e-6
assert total(x) == 2.0**21 and abs(mean(x) - 0.1048576) < 1e-7
PY
