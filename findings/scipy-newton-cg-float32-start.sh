#!/usr/bin/env bash
# SciPy's Newton-CG stays at a start of float32 and calls it the minimum.
#
# Versions: scipy 1.17.1, numpy 2.4.6 (CPython 3.11).
# Guess: the dtype of the start changes nothing, or the last digits at most: minimize works in
#   float64, as BFGS, L-BFGS-B and trust-constr do with the same start.
# What happens: without a Hessian, Newton-CG takes the difference of two gradients 1.5e-8 apart,
#   which float32 does not tell apart. Curvature 0 ends the first step at its start, with success
#   True. From the float64 start it reaches the minimum. TNC and SLSQP refuse float32.
# Output seen:
#   Newton-CG float32: [1. 1.] success True
#   Newton-CG float64: [3. 3.] success True
#   L-BFGS-B float32: [3. 3.] success True
#   SLSQP refuses float32 True, TNC refuses float32 True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from scipy.optimize import minimize


def bowl(w):
    return float((w - 3) @ (w - 3)), 2 * (w - 3)


def run(method, dtype):
    return minimize(bowl, np.ones(2, dtype), jac=True, method=method)


for method, dtype in (("Newton-CG", "float32"), ("Newton-CG", "float64"), ("L-BFGS-B", "float32")):
    result = run(method, dtype)
    print(f"{method} {dtype}: {result.x.round(4)} success {result.success}")
    right = 1 if (method, dtype) == ("Newton-CG", "float32") else 3
    assert result.success and abs(result.x - right).max() < 1e-4
refused = {}
for method in ("SLSQP", "TNC"):
    try:
        run(method, "float32")
        refused[method] = False
    except Exception:
        refused[method] = True
print(", ".join(f"{method} refuses float32 {was}" for method, was in refused.items()))
assert all(refused.values())
PY
