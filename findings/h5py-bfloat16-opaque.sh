#!/usr/bin/env bash
# h5py stores bfloat16 and float8 arrays as opaque bytes, and says nothing.
#
# Versions: h5py 3.16.0, ml_dtypes 0.6.0, numpy 2.4.6 (CPython 3.11).
# Guess: h5py writes ml_dtypes' bfloat16 as an HDF5 float of 16 bits (float16 and float128 work),
#   or refuses it as it refuses datetime64 ("No conversion path for dtype").
# What happens: the numbers become an HDF5 opaque type. They come back as dtype V2, on which no
#   arithmetic works, and no other reader of the file can know that they were numbers.
# Output seen:
#   bfloat16 -> |V2
#   float8_e4m3fn -> |V1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 h5py==3.16.0 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import h5py
import ml_dtypes
import numpy as np

found = {}
with h5py.File("bf16.h5", "w", driver="core", backing_store=False) as file:
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        x = np.array([1, 2, 3], dtype)
        file[x.dtype.name] = x
        found[x.dtype.name] = file[x.dtype.name].dtype.str
        print(x.dtype.name, "->", found[x.dtype.name])
    file["float16"] = np.ones(3, np.float16)
    assert file["float16"].dtype == np.float16
assert found == {"bfloat16": "|V2", "float8_e4m3fn": "|V1"}
PY
