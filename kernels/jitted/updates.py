"""The half of a step that moves the parameters, and what tells beforehand whether it may.

Every function is executed by all members of a team at once, as in `run.py`.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from .. import reach
from ..opcodes import SETTINGS, Kind, Method
from . import optimizers
from ._jit import inlined
from ._link import EXTRA, linked
from .memory import matrix, part, row
from .reading import BLOCK, share
from .team import meet

EXTRA["S"] = types.Array(numba.from_dtype(SETTINGS), 1, "C")

DENSE, BATCHNORM, ADAM = int(Kind.DENSE), int(Kind.BATCHNORM), int(Method.ADAM)

CHUNK = 4096  # parameters of an optimiser's block

safe = inlined(reach.safe)


@linked("F1 F1 P S f I1 D2 i I1 i i")
def permit(grad, work, places, settings, rate, counters, record, i, meeting, me, team):
    """counters[1] = 1 where the i-th step of this run may be taken, else 0; counters[0] counts it.

    record[i, 3] = a bound of |v| after the step.
    """
    first, last = share(grad.size, grad.itemsize, me, team)
    work[places.blocks + me * BLOCK] = optimizers.largest(part(grad, first, last - first))
    meet(meeting, me, team)
    if me == 0:
        peak = 0.0
        for member in range(team):
            other = np.float64(work[places.blocks + member * BLOCK])
            peak = other if other > peak else peak
        before = record[i - 1, 3] if i > 0 else settings[0].average
        record[i, 3], counters[1] = before, 1
        if record[i, 2] > 0:  # else the gradient is an older one, and nothing moves
            record[i, 3] = peak if peak > before else before
            single, cost = work.itemsize == 4, record[i, 0]
            counters[1] = 1 if safe(settings[0], single, rate, cost, peak, before) else 0
            counters[0] += counters[1]
    meet(meeting, me, team)


@inlined
def _finish(table, ops, theta, state):
    """After a step: bound the norms of weights, take the batch into the running averages."""
    for i in range(1, ops.size - 1):
        op = ops[i]
        if op.kind == DENSE and op.rate > 0:
            optimizers.bound_norms(table, matrix(theta, op.W, op.n_out, op.n_in), op.rate)
        elif op.kind == BATCHNORM:
            n = 2 * op.n_out  # mean and variance at once
            running, batch = part(state, op.state, n), part(state, op.state + n, n)
            optimizers.blend(table, running, batch, op.rate)


@linked("T O F1 F1 F2 F1 S f i I1 i i")
def update(table, ops, theta, grad, slots, state, settings, rate, t, meeting, me, team):
    """Move theta along grad by the settings' method, the t-th time (from 1).   slots (s, p)."""
    chosen = settings[0]
    if chosen.clip_norm > 0:
        if me == 0:
            optimizers.clip(table, grad, chosen.clip_norm, chosen.clip_value)
        meet(meeting, me, team)
    epsilon = chosen.epsilon
    if chosen.uncorrected != 0:
        epsilon /= np.sqrt(1 - chosen.beta2**t)
    first, last = share(theta.size, theta.itemsize, me, team)
    for i in range(first, last, CHUNK):
        n = min(CHUNK, last - i)
        v = row(slots, 0, i, n if slots.shape[0] > 0 else 0)
        s = row(slots, 1, i, n if slots.shape[0] > 1 else 0)
        if chosen.clip_value > 0 and chosen.clip_norm == 0:
            optimizers.clip(table, part(grad, i, n), 0.0, chosen.clip_value)
        if chosen.method > ADAM:
            decayed = min(max(chosen.decay - i, 0), n)
            optimizers.step_otherwise(
                table, chosen.method, part(theta, i, n), part(grad, i, n), v, s, decayed, rate,
                chosen.beta1, chosen.beta2, epsilon, chosen.weight_decay, t,
            )  # fmt: skip
        else:
            optimizers.step(
                table, chosen.method, part(theta, i, n), part(grad, i, n), v, s, rate,
                chosen.beta1, chosen.beta2, epsilon, t,
            )  # fmt: skip
    meet(meeting, me, team)
    if me == 0:
        _finish(table, ops, theta, state)
