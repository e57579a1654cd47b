"""Slopes by central differences, compiled: of a program's cost, and of any compiled function."""

from __future__ import annotations

import numba

from ...gradient_check import MIN_RELATIVE_STEP
from ..codegen.pointers import view
from ..compiler.jit import inlined, kernel
from ..ops import optimizers
from .gradient import batch_gradient


@inlined
def _penalty(kernel_ptrs, theta, grad, settings, step_log):
    """Return the penalty on a cost of examples of weight step_log[2]; overwrites step_log."""
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
    """out (k,) = slopes of the cost by theta[indices]; theta (p,) is as before at the end."""
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


# Not `kernel`: a compiled function as argument makes a type of its own, which no cache could keep.
@numba.njit(error_model="numpy")
def _slopes(f, theta, flat, epsilon, out):
    """out (p,) = (f(θ + εe) − f(θ − εe)) / 2ε; flat (p,) is theta's own memory."""
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
    """Write the slopes out (p,) of a compiled f of C-contiguous float64 theta; tell whether it did.

    It does not where f cannot be compiled for such an array, or does not return a number then.
    """
    try:
        _slopes(f, theta, theta.reshape(-1), epsilon, out)
    except numba.core.errors.NumbaError:
        return False
    return True
