#!/usr/bin/env bash
# A structured array that went through .npy no longer fits a Numba function compiled for it.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: np.load(np.save(x)) has the dtype of x (they compare equal, offsets and itemsize too), so
#   whatever took x takes it.
# What happens: the file keeps the padding but not the flag of align=True. NumPy calls both dtypes
#   equal; Numba takes the second for an "unaligned array", another type, and refuses it where a
#   signature is explicit. But Numba remembers one type for both: the one that a process passes
#   first decides. After a refusal x itself is refused; after a call with x the loaded one is taken.
#   Tests in one process miss what a fresh one meets.
# Output seen:
#   equal dtypes: True; aligned: True, then False
#   loaded first: refused, then x: refused
#   x first: taken, then loaded: taken
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
cat > "$folder/try.py" <<'PY'
import io
import sys

import numba
import numpy as np

x = np.zeros(3, np.dtype([("kind", "i1"), ("rate", "f8")], align=True))
file = io.BytesIO()
np.save(file, x)
file.seek(0)
loaded = np.load(file)
aligned = x.dtype.isalignedstruct, loaded.dtype.isalignedstruct
assert x.dtype == loaded.dtype and aligned == (True, False)
first_rate = numba.njit(numba.float64(numba.typeof(x)))(lambda a: a[0].rate)


def outcome(array):
    try:
        first_rate(array)
    except TypeError:
        return "refused"
    return "taken"


if sys.argv[1] == "loaded":
    print(f"equal dtypes: {x.dtype == loaded.dtype}; aligned: {aligned[0]}, then {aligned[1]}")
    seen = outcome(loaded), outcome(x)
    print(f"loaded first: {seen[0]}, then x: {seen[1]}")
    assert seen == ("refused", "refused")
else:
    seen = outcome(x), outcome(loaded)
    print(f"x first: {seen[0]}, then loaded: {seen[1]}")
    assert seen == ("taken", "taken")
PY
"$folder/venv/bin/python" "$folder/try.py" loaded
"$folder/venv/bin/python" "$folder/try.py" x
