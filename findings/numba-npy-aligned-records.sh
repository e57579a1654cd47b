#!/usr/bin/env bash
# A structured array that went through .npy no longer fits a Numba function compiled for it.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: np.load(np.save(x)) has the dtype of x (they compare equal, offsets and itemsize too), so
#   whatever took x takes it.
# What happens: the file keeps the padding but not the flag of align=True. NumPy calls both dtypes
#   equal; Numba takes the second for an "unaligned array", another type, and a function with an
#   explicit signature refuses it, unless the same process has called it with x before: then y is
#   taken. Tests in one process miss what a fresh one meets. Arrays kept as .npy, by skops too.
# Output seen:
#   equal dtypes: True; aligned: True, then False
#   TypeError: No matching definition for argument type(s) unaligned array(...)
#   after a call with x: 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import io

import numba
import numpy as np

x = np.zeros(3, np.dtype([("kind", "i1"), ("rate", "f8")], align=True))
file = io.BytesIO()
np.save(file, x)
file.seek(0)
y = np.load(file)
aligned = x.dtype.isalignedstruct, y.dtype.isalignedstruct
print(f"equal dtypes: {x.dtype == y.dtype}; aligned: {aligned[0]}, then {aligned[1]}")
first = numba.njit(numba.float64(numba.typeof(x)))(lambda a: a[0].rate + 1)
assert x.dtype == y.dtype and aligned == (True, False)
try:
    first(y)
except TypeError as error:
    print(f"TypeError: {str(error)[:63]}...)")
else:
    raise SystemExit("it is taken now")
first(x)
print("after a call with x:", first(y))
PY
