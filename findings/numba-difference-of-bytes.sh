#!/usr/bin/env bash
# The difference of two bytes is 2**64 - 1 in Numba and 255 in NumPy.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: a[0] - a[1] of a uint8 array wraps to uint8 inside @njit as it does outside it, or at
#   worst becomes the mathematical value -1.
# What happens: elements are widened to 64 unsigned bits, so 1 - 2 is 18446744073709551615, and
#   200 + 100 is 300 where NumPy 2 gives 44. Operations on whole uint8 arrays do wrap as in NumPy:
#   a loop over pixels and its vectorised twin differ.
# Output seen:
#   elements: numpy 255, numba 18446744073709551615
#   arrays:   numpy [255], numba [255]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np


def elements(a):
    return a[0] - a[1]


def arrays(a):
    return a[:1] - a[1:]


x = np.array([1, 2], np.uint8)
with np.errstate(over="ignore"):
    seen = {f.__name__: (f(x), numba.njit(f)(x)) for f in (elements, arrays)}
print(f"elements: numpy {seen['elements'][0]}, numba {seen['elements'][1]}")
print(f"arrays:   numpy {seen['arrays'][0]}, numba {seen['arrays'][1]}")
assert seen["elements"] == (255, 2**64 - 1)
assert seen["arrays"][0] == seen["arrays"][1] == 255
PY
