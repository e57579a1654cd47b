#!/usr/bin/env bash
# HDF5 stores 65505 as infinity in a float16 data set, where rounding gives 65504.
#
# Versions: h5py 3.16.0 (its bundled HDF5), numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: writing float64 or float32 numbers into a float16 data set rounds as astype(np.float16)
#   does, to nearest even; below the middle 65520 the largest number, 65504, is nearest.
# What happens: whatever is larger than 65504 becomes infinite. Other numbers, subnormals too, are
#   rounded as by NumPy, and so is float64 to float32 just above its largest number.
# Output seen:
#   65505 to float16: h5py inf, numpy 65504
#   2051 to float16: h5py 2052, numpy 2052
#   3.4028235e+38 + 1e+30 to float32: h5py 3.40282e+38, numpy 3.40282e+38
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 h5py==3.16.0
"$folder/venv/bin/python" - <<'PY'
import h5py
import numpy as np

with h5py.File("half.h5", "w", driver="core", backing_store=False) as file:
    half = file.create_dataset("half", (2,), "f2")
    single = file.create_dataset("single", (1,), "f4")
    for dtype in (np.float64, np.float32):
        x = np.array([65505, 2051], dtype)
        half[...] = x
        seen, right = half[...], x.astype(np.float16)
        assert seen.tolist() == [np.inf, 2052] and right.tolist() == [65504, 2052]
    for value, stored, rounded in zip(x, seen, right):
        print(f"{value:.0f} to float16: h5py {stored:.0f}, numpy {rounded:.0f}")
    largest = float(np.finfo(np.float32).max)
    single[...] = largest + 1e30
    print(f"{largest:.8g} + 1e+30 to float32: h5py {single[0]:.6g}, numpy", end=" ")
    print(f"{np.float32(largest + 1e30):.6g}")
    assert single[0] == np.float32(largest + 1e30) == np.float32(largest)
PY
