#!/usr/bin/env bash
# A slice of a safetensors file may not reach past the end: the last batch of a loop is refused.
#
# Versions: safetensors 0.8.0, h5py 3.16.0, numpy 2.4.6 (CPython 3.11).
# Guess: get_slice("x")[start:stop] follows Python's slices, as NumPy's and h5py's do: stop beyond
#   the end is cut, negative numbers count from the end (the row -1 can be had).
# What happens: [8:12] of 10 rows is out of bounds, an empty slice from the end as well, and [-2:]
#   is refused as no unsigned number; [-1] and [...] work. Reading by batches needs a clipped stop.
# Output seen:
#   [8:12]: safetensors refuses, h5py 2 rows, numpy 2 rows
#   [-2:]: safetensors refuses, h5py 2 rows, numpy 2 rows
#   [10:12]: safetensors refuses, h5py 0 rows, numpy 0 rows
#   [8:10]: safetensors 2 rows, h5py 2 rows, numpy 2 rows
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 safetensors==0.8.0 h5py==3.16.0
"$folder/venv/bin/python" - <<'PY'
import os
import tempfile

import h5py
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

X = np.arange(20.0).reshape(10, 2)


def rows(x, part):
    try:
        return f"{len(x[part])} rows"
    except Exception:
        return "refuses"


found = {}
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "x.safetensors")
    save_file({"x": X}, path)
    with safe_open(path, "np") as file, h5py.File(os.path.join(folder, "x.h5"), "w") as h5:
        readers = {"safetensors": file.get_slice("x"), "h5py": h5.create_dataset("x", data=X)}
        readers["numpy"] = X
        for start, stop in ((8, 12), (-2, None), (10, 12), (8, 10)):
            seen = {name: rows(x, slice(start, stop)) for name, x in readers.items()}
            text = f"[{start}:{'' if stop is None else stop}]"
            print(text + ":", ", ".join(f"{name} {got}" for name, got in seen.items()))
            found[text] = seen["safetensors"]
            assert seen["h5py"] == seen["numpy"]
assert [got == "refuses" for got in found.values()] == [True, True, True, False]
PY
