"""Compiled gradient checks by central differences: of a network's cost, or of any function."""

from __future__ import annotations

import numba

from ...gradient_check import MIN_RELATIVE_STEP
from ..codegen.pointers import view
from ..compiler.definitions import entry
from ..compiler.jit import inlined
from ..ops import optimizers
from .gradient import batch_gradient


@inlined
def _penalty(kernel_ptrs, theta, grad, settings, step_log):
    """Return (l2/2 Σ θ² + l1 Σ |θ|) / Σ w, a step's penalty, as a float; 0 if Σ w is 0.

    The first settings[0].decay parameters of theta (p,) are penalised. settings (1,): a SETTINGS
    record, with l2 and l1. step_log (3,): [2] is Σ w; [0] and [1] are overwritten. grad (p,) is
    read, without effect on the result.
    """
    l2, l1, decay, total = settings[0].l2, settings[0].l1, settings[0].decay, step_log[2]
    if total == 0 or (l2 == 0 and l1 == 0):
        return 0.0
    weights, slopes = view(theta, 0, decay), view(grad, 0, decay)
    optimizers.weigh(kernel_ptrs, weights, slopes, l2 / total, l1 / total, step_log)
    return step_log[0]


@entry("T Model F1 Workspace Batch S Phase D2 Differences Team", requires="cost differences")
def cost_differences(
    kernel_ptrs, model, grad, workspace, batch, settings, phase, group_losses, differences, team
):
    """out[k] ← (J(θ + ε e) − J(θ − ε e)) / 2ε, where e is the unit vector of θ[indices[k]].

    J: cost of the batch (a Batch) plus its penalty. settings (1,): a SETTINGS record; phase: a
    Phase. ε = max(epsilon, MIN_RELATIVE_STEP · |θ[indices[k]]|). θ = model.theta (p,), restored in
    the end. differences: a Differences, with epsilon, indices and out, which is written. grad (p,)
    and group_losses (groups, 2): scratch. team: a Team of one thread.
    """
    theta, (epsilon, indices, out, step_log) = model.theta, differences
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
    """out[i] ← (f(θ + ε e) − f(θ − ε e)) / 2ε, where e is the i-th unit vector.   out (p,).

    f: a compiled function of θ that returns a number. theta: θ, float64 of any shape, p numbers,
    restored in the end; flat (p,): a view of its memory. ε = max(epsilon, MIN_RELATIVE_STEP ·
    |flat[i]|).
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
    """Write the derivatives of f at theta into out (p,), by central differences; return a bool.

    f: a function compiled by Numba; theta: C-contiguous float64 of any shape, p numbers, restored
    in the end; epsilon: the smallest step ε. The bool is False, and out is not written, if f cannot
    be compiled for theta or returns no number.
    """
    try:
        _slopes(f, theta, theta.reshape(-1), epsilon, out)
    except numba.core.errors.NumbaError:
        return False
    return True
