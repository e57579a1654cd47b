#!/usr/bin/env bash
# np.dot and @ disagree for float8 of ml_dtypes: NaN and 1000 for the same two vectors.
#
# Versions: ml_dtypes 0.6.0, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: for vectors np.dot(x, y) and x @ y are the same number, as NumPy says of both, of one dtype.
# What happens: np.dot returns a float8_e4m3fn, whose largest number is 448, and what lies beyond it
#   is NaN; x @ y is done in float32 and stays so.
# Output seen:
#   np.dot nan float8_e4m3fn
#   @ 1000.0 float32
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import ml_dtypes
import numpy as np

ones = np.ones(1000, ml_dtypes.float8_e4m3fn)
with np.errstate(all="ignore"):
    dot, product = np.dot(ones, ones), ones @ ones
print("np.dot", float(dot), dot.dtype)
print("@", float(product), product.dtype)
assert np.isnan(float(dot)) and dot.dtype == ml_dtypes.float8_e4m3fn
assert product == 1000 and product.dtype == np.float32
PY
