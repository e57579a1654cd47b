#!/usr/bin/env bash
# tinygrad's asinh(-10000) is -inf, and asinh(-100) right to four digits; above zero it is right.
#
# Versions: tinygrad 0.14.0, numpy 2.4.6 (CPython 3.11, x86-64, DEV=PYTHON,
#   which needs no compiler).
# Guess: asinh is odd: asinh(-x) = -asinh(x), to the last bits of float32.
# What happens: it is ln(x + sqrt(x * x + 1)), whose sum cancels for negative x and is 0 from some
#   thousands on. Scaling skewed columns by asinh, as is done for money, breaks for losses.
# Output seen:
#   asinh(100) 5.2983, asinh(-100) -5.2989
#   asinh(10000) 9.9035, asinh(-10000) -inf
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 tinygrad==0.14.0
DEV=PYTHON "$folder/venv/bin/python" - <<'PY'
import math

from tinygrad import Tensor

seen = Tensor([100.0, -100.0, 10000.0, -10000.0]).asinh().tolist()
print("asinh(100) {:.4f}, asinh(-100) {:.4f}".format(*seen[:2]))
print("asinh(10000) {:.4f}, asinh(-10000) {:.4f}".format(*seen[2:]))
assert abs(seen[0] - math.asinh(100)) < 1e-4 and abs(seen[2] - math.asinh(1e4)) < 1e-4
assert abs(seen[1] + math.asinh(100)) > 1e-4 and seen[3] == -math.inf
PY
