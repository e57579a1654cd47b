#!/usr/bin/env bash
# bfloat16 times the Python number 0.5 is float32, while times 2 it stays bfloat16.
#
# Versions: ml_dtypes 0.6.0, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: since NumPy 2 a Python number takes the dtype of the array (NEP 50): x * 0.5, and np.clip
#   with bounds that are numbers, keep bfloat16 as they keep float16. An accumulator in bfloat16
#   does not grow to twice its memory by a scalar.
# What happens: a Python float counts as float32 here, so that the result is float32; a small Python
#   int does not, and yet np.clip(x, 0, 1) is float32.
# Output seen:
#   bfloat16: times 0.5 float32, times 2 bfloat16, clipped float32
#   float16: times 0.5 float16, times 2 float16, clipped float16
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import ml_dtypes
import numpy as np

seen = {}
for dtype in (ml_dtypes.bfloat16, np.float16):
    x = np.ones(2, dtype)
    seen[dtype] = [y.dtype.name for y in (x * 0.5, x * 2, np.clip(x, 0, 1))]
    print(
        f"{x.dtype.name}: times 0.5 {{}}, times 2 {{}}, clipped {{}}".format(*seen[dtype])
    )
assert seen[np.float16] == ["float16"] * 3
assert seen[ml_dtypes.bfloat16] == ["float32", "bfloat16", "float32"]
PY
