#!/usr/bin/env bash
# tinygrad's argmax of three numbers is 3 if the first is NaN, an index beyond the end.
#
# Versions: tinygrad 0.14.0, numpy 2.4.6 (CPython 3.11, x86-64, DEV=PYTHON,
#   which needs no compiler).
# Guess: NaN counts as the largest number, as in NumPy and PyTorch, or is passed over; either way
#   the index is one of 0, 1, 2.
# What happens: the index is found by comparing with the maximum, which is NaN here and equals
#   nothing. If NaN is not first, the maximum passes it over, so the answer depends on the order.
# Output seen:
#   [nan, 1.0, 2.0]: max nan, argmax 3
#   [1.0, nan, 2.0]: max 2.0, argmax 2
#   [1.0, 3.0, 2.0]: max 3.0, argmax 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 tinygrad==0.14.0
DEV=PYTHON "$folder/venv/bin/python" - <<'PY'
import math

from tinygrad import Tensor

seen = []
for row in ([math.nan, 1, 2], [1, math.nan, 2], [1, 3, 2]):
    x = Tensor([float(each) for each in row])
    seen.append((x.max().item(), int(x.argmax().item())))
    print(f"{x.tolist()}: max {seen[-1][0]}, argmax {seen[-1][1]}")
assert math.isnan(seen[0][0]) and seen[0][1] == 3
assert seen[1:] == [(2, 2), (3, 1)]
PY
