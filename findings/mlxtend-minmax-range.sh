#!/usr/bin/env bash
# mlxtend's minmax_scaling ignores a range that begins at 0 or ends at 1: (-1, 1) gives (0, 1).
#
# Versions: mlxtend 0.25.0, numpy 2.4.6 (CPython 3.11).
# Guess: minmax_scaling(X, columns, min_val=-1, max_val=1) scales each column to [-1, 1], the inputs
#   that a tanh network is given, and max_val=255 to [0, 255].
# What happens: the range is applied only where min_val is not 0 and max_val is not 1. Where one of
#   the two has its default, the columns stay in [0, 1]; (-2, 2) is right. A constant column, which
#   is to become min_val, becomes 0.
# Output seen:
#   range (-1, 1): from 0.0 to 1.0
#   range (0, 255): from 0.0 to 1.0
#   range (-2, 2): from -2.0 to 2.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 mlxtend==0.25.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from mlxtend.preprocessing import minmax_scaling

X = np.array([[1.0, 3], [2, 3], [4, 3]])
found = {}
for low, high in ((-1, 1), (0, 255), (-2, 2)):
    scaled, constant = minmax_scaling(X, columns=[0, 1], min_val=low, max_val=high).T
    print(f"range ({low}, {high}): from {scaled.min()} to {scaled.max()}")
    found[low, high] = scaled.min(), scaled.max(), constant[0]
assert found == {(-1, 1): (0, 1, 0), (0, 255): (0, 1, 0), (-2, 2): (-2, 2, -2)}
PY
