#!/usr/bin/env bash
# safetensors writes a Fortran-ordered array's numbers in the wrong places, without an error.
#
# Versions: safetensors 0.8.0, numpy 2.4.6 (CPython 3.11).
# Guess: safetensors.numpy.save stores the values of an array whatever its memory order, as
#   numpy.save, h5py and pickle do (a transposed weight matrix is Fortran-ordered).
# What happens: the raw memory is written under the shape, so the matrix comes back scrambled.
# Output seen:
#   saved [[0, 1, 2], [3, 4, 5]], loaded [[0, 3, 1], [4, 2, 5]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 safetensors==0.8.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from safetensors.numpy import load, save

W = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
back = load(save({"W": W}))["W"]
print(f"saved {W.astype(int).tolist()}, loaded {back.astype(int).tolist()}")
assert back.tolist() == [[0, 3, 1], [4, 2, 5]]
assert np.array_equal(load(save({"W": np.ascontiguousarray(W)}))["W"], W)
PY
