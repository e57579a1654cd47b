"""The half of a step that moves the parameters, and what tells beforehand whether it may.

Every function is executed by all members of a team at once, as in `run.py`.
"""

from __future__ import annotations

import numpy as np

from ... import overflow_guard
from ...opcodes import Kind
from ...records import StepNumbers
from ..codegen.pointers import view, view_float64, view_matrix, view_row
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, unwrapped
from ..first_layer.driver import CACHE_LINE, pad_to_cache_lines, partition_cache_lines
from ..gemm.microkernel import MR
from ..ops import optimizers
from ..threads.team import barrier_wait, static_partition
from .forward import tiles

DENSE, BATCHNORM = int(Kind.DENSE), int(Kind.BATCHNORM)

CHUNK = 4096  # parameters that are swept over at a time: first-level cache
CHUNKS = 8192  # of them at most whose penalties or squares are added up apart, else larger ones
MANY = 4  # tiles of outputs a member from which on weights are shared out by outputs

bound, safe = inlined(overflow_guard.bound), inlined(overflow_guard.safe)


@inlined
def _behind(settings, team):
    """Where the first piece of the parameters begins: a lone member takes all at once."""
    return settings[0].decay if team > 1 else 0


@unwrapped  # not `inlined`, which would put it into both callers: 0.2 s more to compile
def _own(ops, piece, behind, size, itemsize, me, team):
    """First and last of the parameters that a member moves, in a piece of them.

    Piece 0 is all from `behind` on, others are the weights of a row: where outputs are many, those
    of the outputs that the member computes, so that they stay in its cache. 784 → 512 → 256 → 10
    takes 4 to 11 % less time on two threads so (Xeon).
    """
    if piece == 0:
        first, last = partition_cache_lines(size - behind, itemsize, me, team)
        return behind + first, behind + last
    op, down = ops[piece], tiles(ops[piece].n_out)
    if op.kind != DENSE:
        return 0, 0
    # Whole cache lines, the gap behind the weights included: what vectors leave over would be
    # computed by other instructions, and which numbers those are must not depend on the team.
    line, count = CACHE_LINE // itemsize, pad_to_cache_lines(op.n_in * op.n_out, itemsize)
    if down < MANY * team:
        first, last = partition_cache_lines(count, itemsize, me, team)
        return op.W + first, op.W + last
    first, last = static_partition(down, me, team)
    end = count if me + 1 == team else last * MR * op.n_in // line * line
    return op.W + first * MR * op.n_in // line * line, op.W + end


@indirect("T F1 F1 i f f D1 i i", requires="penalty")
def _weigh(table, theta, grad, size, l2, l1, found, me, team):
    """Write found = (cost, largest slope) of each `size` parameters that are penalised."""
    count = (theta.size + size - 1) // size
    first, last = static_partition(count, me, team)
    for k in range(first, last):
        i, n = k * size, min(size, theta.size - k * size)
        optimizers.weigh(table, view(theta, i, n), view(grad, i, n), l2, l1, view(found, 2 * k, 2))


@indirect("T O F1 F1 F1 P S f I1 D2 i I1 i i", requires="update")
def check_step_finite(
    table, ops, theta, grad, work, places, settings, rate, counters, record, i, meeting, me, team
):
    """counters[1] = 1 where the i-th step of this run may be taken, else 0; counters[0] counts it.

    Adds the penalty to the step's cost, record[i, 0]; record[i, 3] = a bound of |v| after the step.
    """
    total, decay = record[i, 2], settings[0].decay
    l2, l1 = settings[0].l2, settings[0].l1
    if total == 0 or (l2 == 0 and l1 == 0):
        decay = 0
    size = CHUNK * (1 + decay // (CHUNK * CHUNKS))
    count = (decay + size - 1) // size
    found = view_float64(work, places.blocks, 2 * count + team)
    if decay > 0:
        _weigh(
            table, view(theta, 0, decay), view(grad, 0, decay), size, l2 / total, l1 / total,
            found, me, team,
        )  # fmt: skip
    top, behind = 0.0, _behind(settings, team) if decay == 0 else decay
    for piece in range(1 if decay > 0 or behind == 0 else ops.size):
        first, last = behind, grad.size
        if team > 1:
            first, last = _own(ops, piece, behind, grad.size, grad.itemsize, me, team)
        top = max(top, optimizers.largest(view(grad, first, last - first)))
    found[2 * count + me] = top
    barrier_wait(meeting, me, team)
    if me == 0:
        peak = 0.0
        for k in range(count):
            record[i, 0] += found[2 * k]
            peak = max(peak, found[2 * k + 1])
        for member in range(team):
            peak = max(peak, found[2 * count + member])
        before = record[i - 1, 3] if i > 0 else settings[0].average
        record[i, 3], counters[1] = before, 1
        if total > 0:  # else the gradient is an older one, and nothing moves
            record[i, 3] = bound(settings[0], rate, peak, before)
            single, cost = work.itemsize == 4, record[i, 0]
            counters[1] = 1 if safe(settings[0], single, rate, cost, peak, before) else 0
            counters[0] += counters[1]
    barrier_wait(meeting, me, team)


@indirect("T F1 F1 S f f i i", requires="complete")
def _complete(table, theta, grad, settings, l2, l1, i, n):
    """Add the penalty to n slopes from the i-th on, and clip each."""
    decayed = min(max(settings[0].decay - i, 0), n)
    if l2 != 0 or l1 != 0:
        optimizers.penalize(table, view(theta, i, decayed), view(grad, i, decayed), l2, l1)
    if settings[0].clip_value > 0:
        optimizers.limit(table, view(grad, i, n), settings[0].clip_value)


@indirect("T F1 F1 S f f i D1 i i", requires="clip")
def _square(table, theta, grad, settings, l2, l1, size, sums, me, team):
    """Complete the gradient, and write sums (CHUNKS,): of the squares of each `size` slopes."""
    first, last = static_partition((grad.size + size - 1) // size, me, team)
    for k in range(first, last):
        i, n = k * size, min(size, grad.size - k * size)
        _complete(table, theta, grad, settings, l2, l1, i, n)
        optimizers.square(table, view(grad, i, n), view(sums, k, 1))


@inlined
def _bounded(table, theta, grad, settings, l2, l1, sums, meeting, me, team):
    """Complete the gradient and return what scales it down to the largest norm.

    sums (CHUNKS,): of the squares of parts that are as large at any number of threads.
    """
    size, total = CHUNK * (1 + grad.size // (CHUNK * CHUNKS)), 0.0
    _square(table, theta, grad, settings, l2, l1, size, sums, me, team)
    barrier_wait(meeting, me, team)
    for k in range((grad.size + size - 1) // size):
        total += sums[k]
    length = np.sqrt(total)
    return settings[0].clip_norm / length if length > settings[0].clip_norm else 1.0


@inlined
def _step_numbers(chosen, rate, t):
    """Return the numbers of the t-th step, as `interpreter.step_numbers` does."""
    epsilon, gain = chosen.epsilon, 1 - chosen.beta1
    if chosen.uncorrected != 0:
        epsilon /= np.sqrt(1 - chosen.beta2**t)
    if chosen.velocity != 0:  # it takes the rates up, an average does not
        rate, gain = 1.0, rate
    return StepNumbers(
        t, rate, gain, chosen.beta1, chosen.beta2, epsilon, chosen.weight_decay, chosen.decay
    )


@inlined
def _sweep(table, theta, grad, slots, settings, numbers, l2, l1, factor, whole, i, n):
    """Move n parameters from the i-th on, along the gradient times factor.

    whole: the gradient is complete already.
    """
    k = numbers
    decayed = min(max(k.n_decayed - i, 0), n)
    part_of = StepNumbers(k.t, k.rate, k.gain, k.beta1, k.beta2, k.epsilon, k.weight_decay, decayed)
    v = view_row(slots, 0, i, n if slots.shape[0] > 0 else 0)
    s = view_row(slots, 1, i, n if slots.shape[0] > 1 else 0)
    if factor != 1:
        optimizers.scale(table, view(grad, i, n), factor)
    elif not whole:
        _complete(table, theta, grad, settings, l2, l1, i, n)
    optimizers.step(table, settings[0].method, view(theta, i, n), view(grad, i, n), v, s, part_of)


@indirect("T O i F1 F1 i i", requires="finish")
def _finish(table, ops, i, theta, state, me, team):
    """After a step, of row i: bound the norms of weights, or take the batch into the averages.

    Writes the row's weights in theta, or its running averages in state.
    """
    op = ops[i]
    if op.kind == DENSE:
        first, last = static_partition(op.n_out, me, team)
        W = view_matrix(theta, op.W + first * op.n_in, last - first, op.n_in)
        optimizers.bound_norms(table, W, op.rate)
    elif me == 0:
        n = 2 * op.n_out  # mean and variance at once
        running, batch = view(state, op.state, n), view(state, op.state + n, n)
        optimizers.blend(table, running, batch, op.rate)


@indirect("T O F1 F1 F2 F1 S f f f i D1 I1 i i", requires="update")
def update(
    table, ops, theta, grad, slots, state, settings, rate, l2, l1, t, sums, meeting, me, team
):
    """Move theta along grad by the settings' method, the t-th time (from 1).   slots (s, p).

    l2, l1: of a penalty that grad does not hold yet; sums (CHUNKS,): scratch.
    """
    chosen, factor = settings[0], 1.0
    whole = l2 == 0 and l1 == 0 and chosen.clip_value <= 0
    if chosen.clip_norm > 0:
        factor = _bounded(table, theta, grad, settings, l2, l1, sums, meeting, me, team)
        whole = True
    numbers = _step_numbers(chosen, rate, t)
    behind = _behind(settings, team)
    for piece in range(1 if behind == 0 else ops.size):
        first, last = behind, theta.size
        if team > 1:
            first, last = _own(ops, piece, behind, theta.size, theta.itemsize, me, team)
        for i in range(first, last, CHUNK):
            n = min(CHUNK, last - i)
            _sweep(table, theta, grad, slots, settings, numbers, l2, l1, factor, whole, i, n)
    barrier_wait(meeting, me, team)
    for i in range(1, ops.size - 1):
        if ops[i].kind == BATCHNORM or (ops[i].kind == DENSE and ops[i].rate > 0):
            _finish(table, ops, i, theta, state, me, team)
