#!/usr/bin/env bash
# h5py's astype saturates where NumPy's wraps: the same cast gives other pixels.
#
# Versions: h5py 3.16.0 (HDF5's own conversion), numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: dataset.astype("u1")[...] equals dataset[...].astype("u1"), the first only reads less;
#   and writing wide numbers into a uint8 data set stores what astype("u1") would.
# What happens: HDF5 converts by clipping to the range of the type, NumPy modulo 256. Reading with
#   astype, read_direct and writing all clip.
# Output seen:
#   read:  h5py [255, 0, 5], numpy [44, 255, 5]
#   write: h5py [255, 0, 5], numpy [44, 255, 5]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 h5py==3.16.0
"$folder/venv/bin/python" - <<'PY'
import h5py
import numpy as np

x = np.array([300, -1, 5])
right = x.astype("u1").tolist()
with h5py.File("casts.h5", "w", driver="core", backing_store=False) as file:
    wide, narrow = file.create_dataset("wide", data=x), file.create_dataset("narrow", (3,), "u1")
    narrow[...] = x
    direct = np.empty(3, "u1")
    wide.read_direct(direct)
    read, write = wide.astype("u1")[...].tolist(), narrow[...].tolist()
print(f"read:  h5py {read}, numpy {right}")
print(f"write: h5py {write}, numpy {right}")
assert right == [44, 255, 5] and read == write == direct.tolist() == [255, 0, 5]
PY
