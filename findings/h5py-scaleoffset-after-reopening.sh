#!/usr/bin/env bash
# HDF5's scale-offset filter makes a number of NaN, and only a reopened file shows it.
#
# Versions: h5py 3.16.0 (its bundled HDF5), numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: scaleoffset=3 keeps floats to three decimals and keeps NaN as it keeps infinities (or is
#   refused); reading back before the file is closed shows what was stored.
# What happens: a NaN comes back as the smallest number of its chunk. (Where it comes first, as
#   where a chunk has an infinity or numbers too far apart, the chunk is stored whole and keeps it.)
#   With a fixed number of bits, integers keep their low bits.
#   Until the chunk leaves the cache a read returns the numbers as they were written, so that a test
#   that writes and reads in one go sees no loss at all.
# Output seen:
#   floats before closing [1.0, nan, 3.1234], after reopening [1.0, 1.0, 3.123]
#   8 bits before closing [0, 300, 5], after reopening [0, 44, 5]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 h5py==3.16.0
"$folder/venv/bin/python" - <<'PY'
import io

import h5py
import numpy as np

found = {}
for name, x, setting in (
    ("floats", np.array([1, np.nan, 3.1234]), 3),
    ("8 bits", np.array([0, 300, 5], np.int32), 8),
):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        before = file.create_dataset("x", data=x, chunks=(3,), scaleoffset=setting)[...].tolist()
    with h5py.File(memory) as file:
        after = file["x"][...].tolist()
    print(f"{name} before closing {before}, after reopening {after}")
    np.testing.assert_array_equal(before, x)
    found[name] = after
np.testing.assert_allclose(found["floats"], [1, 1, 3.123])
assert found["8 bits"] == [0, 44, 5]
PY
