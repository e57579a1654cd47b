"""Compiled gradient checks by central differences: of a network's cost, or of any function."""

from __future__ import annotations

import numba

from ...gradient_check import MIN_RELATIVE_STEP
from ..codegen.pointers import view
from ..compiler.jit import inlined, kernel
from ..ops import optimizers
from .gradient import batch_gradient


@inlined
def _penalty(kernel_ptrs, theta, grad, settings, step_log):
    """Return the penalty (l2/2 Σ θ² + l1 Σ |θ|) / Σ w on the cost of a step, or 0 if Σ w is 0.

    Σ w is step_log[2]; step_log[0] and step_log[1] are overwritten. Only the first
    settings[0].decay parameters of theta (p,) are penalised; grad (p,) does not change the result.
    """
    l2, l1, decay, total = settings[0].l2, settings[0].l1, settings[0].decay, step_log[2]
    if total == 0 or (l2 == 0 and l1 == 0):
        return 0.0
    weights, slopes = view(theta, 0, decay), view(grad, 0, decay)
    optimizers.weigh(kernel_ptrs, weights, slopes, l2 / total, l1 / total, step_log)
    return step_log[0]


@kernel
def cost_differences(
    kernel_ptrs, model, grad, workspace, batch, settings, phase, group_losses, step_log, epsilon,
    indices, out, team,
):  # fmt: skip
    """out[k] = (J(θ + εe) − J(θ − εe)) / 2ε, e the unit vector of θ[indices[k]].

    out (n,) is written; indices (n,); J is the cost of the batch with its penalty, by settings
    (1,), a SETTINGS record. ε is epsilon, or MIN_RELATIVE_STEP · |θ| if that is larger. theta (p,)
    is restored in the end; grad (p,), group_losses (groups, 2) and step_log (3,) are scratch.
    """
    theta = model.theta
    for k in range(indices.size):
        kept = theta[indices[k]]
        step = max(epsilon, MIN_RELATIVE_STEP * abs(kept))
        high, low = kept + step, kept - step
        out[k] = 0
        for sign in (1.0, -1.0):
            theta[indices[k]] = high if sign > 0 else low
            batch_gradient(
                kernel_ptrs, model, grad, workspace, batch, 1, phase, group_losses, step_log, team
            )
            out[k] += sign * (step_log[0] + _penalty(kernel_ptrs, theta, grad, settings, step_log))
        out[k] /= high - low
        theta[indices[k]] = kept


# This is no `kernel`: each compiled f has a type of its own, which no cache on disk could keep.
@numba.njit(error_model="numpy")
def _slopes(f, theta, flat, epsilon, out):
    """out[i] = (f(θ + εe) − f(θ − εe)) / 2ε, e the i-th unit vector.   out (p,).

    theta: the argument of f, restored in the end; flat (p,): a view of its memory. ε is epsilon, or
    MIN_RELATIVE_STEP · |θ[i]| if that is larger.
    """
    for i in range(flat.size):
        kept = flat[i]
        step = max(epsilon, MIN_RELATIVE_STEP * abs(kept))
        high, low = kept + step, kept - step
        flat[i] = high
        up = f(theta)
        flat[i] = low
        out[i] = (up - f(theta)) / (high - low)
        flat[i] = kept


def slopes_of(f, theta, epsilon, out):
    """Write the derivatives of f at theta into out (p,) by central differences; return True.

    f: a compiled function that returns a number; theta: C-contiguous float64, p elements; epsilon:
    the step. Returns False if f cannot be compiled for theta or returns no number.
    """
    try:
        _slopes(f, theta, theta.reshape(-1), epsilon, out)
    except numba.core.errors.NumbaError:
        return False
    return True
