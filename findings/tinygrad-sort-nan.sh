#!/usr/bin/env bash
# tinygrad's sort loses NaN and returns another number twice.
#
# Versions: tinygrad 0.14.0, numpy 2.4.6 (CPython 3.11, x86-64, DEV=PYTHON,
#   which needs no compiler).
# Guess: whatever place NaN has, the result holds the numbers that went in, each as often, and the
#   indices are a permutation.
# What happens: numbers are exchanged by minimum and maximum of pairs, and these pass NaN over: 3
#   takes its place. Its index, too, appears twice.
# Output seen:
#   [3.0, nan, 2.0, 1.0] -> [1.0, 2.0, 3.0, 3.0], indices [3, 2, 0, 0]
#   [3.0, 4.0, 2.0, 1.0] -> [1.0, 2.0, 3.0, 4.0], indices [3, 2, 0, 1]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 tinygrad==0.14.0
DEV=PYTHON "$folder/venv/bin/python" - <<'PY'
import math

from tinygrad import Tensor

seen = []
for row in ([3, math.nan, 2, 1], [3, 4, 2, 1]):
    x = Tensor([float(each) for each in row])
    values, indices = (each.tolist() for each in x.sort())
    seen.append((values, [int(i) for i in indices]))
    print(f"{x.tolist()} -> {values}, indices {seen[-1][1]}")
assert seen[0] == ([1, 2, 3, 3], [3, 2, 0, 0])
assert seen[1] == ([1, 2, 3, 4], [3, 2, 0, 1])
PY
