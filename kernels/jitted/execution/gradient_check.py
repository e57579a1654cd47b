"""Slopes by central differences, compiled: of a program's cost, and of any compiled function."""

from __future__ import annotations

import numba
import numpy as np

from ...gradient_check import EPOCH, MIN_RELATIVE_STEP
from ..codegen.pointers import view
from ..compiler.jit import inlined, kernel
from ..ops import optimizers
from ..step.gradient import gradient
from ..threads.team import run_parallel
from .entry import enter, layout
from .kernel_selection import addresses, blocks


@inlined
def _penalty(table, theta, grad, settings, result):
    """What is added to the cost of examples of weight result[2]; result is overwritten."""
    l2, l1, decay, total = settings[0].l2, settings[0].l1, settings[0].decay, result[2]
    if total == 0 or (l2 == 0 and l1 == 0):
        return 0.0
    weights, slopes = view(theta, 0, decay), view(grad, 0, decay)
    optimizers.weigh(table, weights, slopes, l2 / total, l1 / total, result)
    return result[0]


@kernel
def _differences(
    table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, settings, epoch, tally, result,
    epsilon, indices, out, meeting, me, team,
):  # fmt: skip
    """out (k,) = the slopes of the cost by theta[indices]; theta (p,) is as before at the end."""
    for k in range(indices.size):
        kept = theta[indices[k]]
        step = max(epsilon, MIN_RELATIVE_STEP * abs(kept))
        high, low = kept + step, kept - step
        out[k] = 0
        for sign in (1.0, -1.0):
            theta[indices[k]] = high if sign > 0 else low
            gradient(
                table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, 1, settings, epoch,
                tally, result, meeting, me, team,
            )  # fmt: skip
            out[k] += sign * (result[0] + _penalty(table, theta, grad, settings, result))
        out[k] /= high - low
        theta[indices[k]] = kept


def gradient_check(ops, theta, state, examples, settings, epsilon, indices, out):
    """Write out = (J(θ + εe) − J(θ − εe)) / 2ε for θ[indices].   out, indices (k,)."""
    X, Y, w = examples
    ops, x, _alive, needed = enter(ops, state, X, theta.dtype, len(X))
    work, ld, parts, tally, _ = layout(ops, len(X), theta.dtype, X)
    table = addresses(ops, theta.dtype, "gradient", needed | blocks(tally), settings)
    args = (
        table, ops, theta, np.zeros_like(theta), state, work, ld, parts, x, Y, w,
        np.arange(len(X)), settings.reshape(1), EPOCH, tally, np.zeros(3), float(epsilon), indices,
        out,
    )  # fmt: skip
    run_parallel(_differences, args, 1)


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


def slopes(f, theta, epsilon):
    """Return the slopes (p,) of a compiled f of a C-contiguous float64 array, or None.

    None: f cannot be compiled for such an array, or does not return a number then.
    """
    work = theta.copy()
    out = np.empty(theta.size)
    try:
        _slopes(f, work, work.reshape(-1), epsilon, out)
    except numba.core.errors.NumbaError:
        return None
    return out
