#!/usr/bin/env bash
# In a file with a user block, HDF5 gives a place to a data set that lies nowhere.
#
# Versions: h5py 3.16.0, HDF5 2.0.0, numpy 2.4.6 (CPython 3.11).
# Guess: get_offset() of a contiguous data set that was never written is None, as h5py documents it,
#   with a user block as without.
# What happens: with a user block of 512 bytes it is 511. HDF5 adds the block's size to the number
#   that stands for "nowhere", 2^64 - 1, which wraps around; h5py then does not know it any more. A
#   program that maps the data set by its place reads the end of the user block.
# Output seen:
#   user block     0: offset None, storage 0 bytes
#   user block   512: offset 511, storage 0 bytes
#   user block  4096: offset 4095, storage 0 bytes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 h5py==3.16.0
cd "$folder"
venv/bin/python - <<'PY'
import h5py

found = {}
for size in (0, 512, 4096):
    with h5py.File("a.h5", "w", userblock_size=size) as file:
        file.create_dataset("X", (10, 4), "f4")
    with h5py.File("a.h5") as file:
        found[size] = file["X"].id.get_offset()
        storage = file["X"].id.get_storage_size()
    print(f"user block {size:5}: offset {found[size]}, storage {storage} bytes")
assert found == {0: None, 512: 511, 4096: 4095}
PY
