#!/usr/bin/env bash
# SciPy's L-BFGS-B takes a step when it is allowed none, and calls a NaN a minimum.
#
# Versions: scipy 1.17.1, numpy 2.4.6 (CPython 3.11).
# Guess: maxiter=0 returns the start with nit 0, as BFGS, CG, Newton-CG and SLSQP do; and a result
#   whose value is NaN has success False.
# What happens: with maxiter=0 the start is left by a whole step (nit 1). Where the cost becomes NaN
#   while the gradient is small, or is NaN with gradient 0 from the start, status is 0, success True.
# Output seen:
#   maxiter=0: BFGS at [0. 0.] after 0, L-BFGS-B at [0.70710678 0.70710678] after 1
#   NaN cost: value nan, success True, CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL
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


def undefined_near_its_minimum(w):
    cost, gradient = bowl(w)
    return cost if cost > 5 else np.nan, gradient


def run(f, method, **options):
    return minimize(f, np.zeros(2), jac=True, method=method, options=options)


still, moved = run(bowl, "BFGS", maxiter=0), run(bowl, "L-BFGS-B", maxiter=0)
print(f"maxiter=0: BFGS at {still.x} after {still.nit}, L-BFGS-B at {moved.x} after {moved.nit}")
nan = run(undefined_near_its_minimum, "L-BFGS-B")
print(f"NaN cost: value {nan.fun}, success {nan.success}, {nan.message}")
assert (still.x == 0).all() and still.nit == 0 and (moved.x > 0.5).all() and moved.nit == 1
assert np.isnan(nan.fun) and nan.success
PY
