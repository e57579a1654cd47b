#!/usr/bin/env bash
# tinygrad's relu6, hardsigmoid and softplus of infinity are NaN, not 6, 1 and infinity.
#
# Versions: tinygrad 0.14.0, numpy 2.4.6 (CPython 3.11, x86-64, DEV=PYTHON,
#   which needs no compiler).
# Guess: functions that are bounded, or grow like x, have the value of their limit at infinity; a
#   unit that overflows is cut off at 6 by relu6.
# What happens: relu6 is relu(x) - relu(x - 6), infinity less infinity; hardsigmoid is made likewise;
#   softplus takes infinity from itself in logaddexp. hardtanh, made by bounds, is right.
# Output seen:
#   relu6 nan, hardsigmoid nan, softplus nan, hardtanh 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 tinygrad==0.14.0
DEV=PYTHON "$folder/venv/bin/python" - <<'PY'
import math

from tinygrad import Tensor

seen = {
    name: getattr(Tensor([math.inf, 0.0]), name)().tolist()[0]
    for name in ("relu6", "hardsigmoid", "softplus", "hardtanh")
}
print(", ".join(f"{name} {value}" for name, value in seen.items()))
assert seen.pop("hardtanh") == 1
assert all(math.isnan(value) for value in seen.values())
PY
