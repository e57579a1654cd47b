"""The gradient of a step: of its whole batch at once, or of a large one block by block.

As everywhere here, all members of a team execute a function at once. A large batch goes in blocks
whose activations stay in the second-level cache, through all layers and back before the next; one
of a small network in groups of examples that members compute alone.
"""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import fill_zero, view, view_matrix, view_row
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from ..first_layer.driver import pad_to_cache_lines
from ..ops.losses import cost_and_hits
from ..threads.team import barrier_wait, static_partition
from .backward import backward
from .forward import DENSE, forward

CHUNK = 4096  # slopes that a member adds at a time


@inlined
def _lay_targets(targets, weights, work, last, Y, w, rows, total):
    """Lay Y[rows] out as (K, ld), w[rows]/total and w[rows] as (2, ld); zeros beyond the batch."""
    number = work.dtype.type
    m, mp = rows.size, pad_to_cache_lines(rows.size, work.itemsize)
    for k in range(last.n_in):
        target = view_row(targets, k, 0, mp)
        for j in range(m):
            target[j] = Y[rows[j], k]
        fill_zero(view(target, m, mp - m))
    share, own = view_row(weights, 0, 0, mp), view_row(weights, 1, 0, mp)
    for j in range(m):
        own[j] = w[rows[j]]
    for j in range(m):  # apart, for divisions of what lies side by side vectorise
        share[j] = number(np.float64(own[j]) / total) if total > 0 else number(0)
    fill_zero(view(share, m, mp - m))
    fill_zero(view(own, m, mp - m))


@inlined
def total_weight(w, rows):
    """Return Σ w[rows] in float64."""
    total = 0.0
    for j in range(rows.size):
        total += np.float64(w[rows[j]])
    return total


@indirect("T O F1 i P F2 F1 I1 i f D1", requires="cost")
def loss_and_output_grad(table, ops, work, ld, places, Y, w, rows, fresh, total, result):
    """Write result = (cost, Σ w of right examples) and dA, zero beyond the batch.

    fresh: 0 where the targets of these examples lie in the workspace already.
    """
    last = ops[ops.size - 1]
    m, mp = rows.size, pad_to_cache_lines(rows.size, work.itemsize)
    A = view_matrix(work, ops[last.source].A * ld, last.n_in, ld)
    D = view_matrix(work, places.D + last.source % 2 * places.swap, last.n_in, ld)
    scratch = view_matrix(work, places.scratch, 3, ld)
    targets = view_matrix(work, places.targets, last.n_in, ld)
    weights = view_matrix(work, places.weights, 2, ld)
    if fresh != 0:
        _lay_targets(targets, weights, work, last, Y, w, rows, total)
    cost_and_hits(
        table, last.code, last.code, last.rate, A, targets, weights, m, D, scratch, result
    )
    for k in range(last.n_in):
        fill_zero(view_row(D, k, m, mp - m))


@indirect("T O F1 F1 F1 F1 i P X F2 F1 I1 i f S i D1 I1 i i", requires="training")
def block_gradient(
    table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, fresh, total, settings, epoch,
    result, meeting, me, team,
):  # fmt: skip
    """Write grad and result = (cost, Σ w of right examples): the share of `rows` in a batch.

    total: Σ w of the batch; fresh: 0 where input and targets lie in the workspace already.
    """
    last = ops[ops.size - 1].source
    seed = settings[0].seed
    forward(
        table, ops, last, theta, state, work, ld, places, X, rows, fresh, seed, epoch,
        meeting, me, team,
    )  # fmt: skip
    if me == 0:
        loss_and_output_grad(table, ops, work, ld, places, Y, w, rows, fresh, total, result)
    barrier_wait(meeting, me, team)
    backward(
        table, ops, last, theta, grad, state, work, ld, places, X, rows, epoch,
        meeting, me, team,
    )  # fmt: skip


@inlined
def _add(y, x, me, team):
    """Y += x; members take turns at CHUNK numbers.   x, y (p,)."""
    for i in range(me * CHUNK, y.size, team * CHUNK):
        n = min(CHUNK, y.size - i)
        total, other = view(y, i, n), view(x, i, n)
        for k in range(n):
            total[k] += other[k]


@inlined
def _total(work, groups, size, grad, me, team):
    """Grad (p,) = the sum of the groups' gradients, of which one begins every `size` numbers."""
    for i in range(me * CHUNK, grad.size, team * CHUNK):
        n = min(CHUNK, grad.size - i)
        y = view(grad, i, n)
        for group in range(groups):
            x = view(work, group * size + i, n)
            for k in range(n if group == 0 else 0):
                y[k] = x[k]
            for k in range(n if group > 0 else 0):
                y[k] += x[k]


@inlined
def _clear_gaps(ops, x):
    """Write 0 where no slope lies: behind the weights and the biases of each layer.   x (p,)."""
    for i in range(1, ops.size - 1):
        op = ops[i]
        if op.kind == DENSE:
            n, o = op.n_in * op.n_out, op.n_out
            fill_zero(view(x, op.W + n, pad_to_cache_lines(n, x.itemsize) - n))
            fill_zero(view(x, op.b + o, pad_to_cache_lines(o, x.itemsize) - o if op.b >= 0 else 0))


@inlined
def group_gradient(
    table, ops, theta, summed, state, work, ld, places, X, Y, w, rows, total, settings, epoch,
    first, last, result, meeting, me, team,
):  # fmt: skip
    """Write summed (p,) and result = (cost, Σ w of right examples) of the blocks first … last−1."""
    own, cost, hits = view(work, places.own, summed.size), 0.0, 0.0
    if first == last:
        fill_zero(summed)
    for block in range(first, last):
        j = block * places.examples
        block_gradient(
            table, ops, theta, summed if block == first else own, state, work, ld, places, X, Y, w,
            view(rows, j, min(places.examples, rows.size - j)), 1, total, settings, epoch, result,
            meeting, me, team,
        )  # fmt: skip
        if block > first:
            _add(summed, own, me, team)
        if me == 0:
            cost, hits = cost + result[0], hits + result[1]
    if me == 0:
        result[0], result[1] = cost, hits


@indirect("T O F1 F1 F1 F1 i P X F2 F1 I1 f S i D2 I1 i i", requires="blocks")
def blocked_gradient(
    table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, total, settings, epoch, tally,
    meeting, me, team,
):  # fmt: skip
    """Write grad and tally (groups, 2) = (cost, Σ w of right examples) of each group of blocks.

    The blocks of a single group are shared by the team. Several groups are handed out to members,
    each of which then works alone: their gradients, from the begin of the workspace on, are added
    up in the end. A lone member adds each at once.
    """
    groups, size = tally.shape[0], places.blocks - places.own
    blocks = (rows.size + places.examples - 1) // places.examples
    if groups == 1:
        group_gradient(
            table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, total, settings, epoch,
            0, blocks, view_row(tally, 0, 0, 2), meeting, me, team,
        )  # fmt: skip
        barrier_wait(meeting, me, team)
        return
    length = places.blocks + places.block
    own = view(work, groups * size + me * length, length)
    _clear_gaps(ops, view(own, places.own, grad.size))
    begin, end = static_partition(
        groups, me, team
    )  # side by side, for of a short batch some are empty
    for group in range(begin, end):
        direct = team == 1 and group == 0
        summed = grad if direct else view(work, 0 if team == 1 else group * size, grad.size)
        _clear_gaps(ops, summed)
        group_gradient(
            table, ops, theta, summed, state, own, ld, places, X, Y, w, rows, total, settings,
            epoch, blocks * group // groups, blocks * (group + 1) // groups,
            view_row(tally, group, 0, 2), meeting, 0, 1,
        )  # fmt: skip
        if team == 1 and group > 0:
            _add(grad, summed, 0, 1)
    if team > 1:
        barrier_wait(meeting, me, team)
        _total(work, groups, size, grad, me, team)
        barrier_wait(meeting, me, team)


@indirect("T O F1 F1 F1 F1 i P X F2 F1 I1 i S i D2 D1 I1 i i", requires="training")
def gradient(
    table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, fresh, settings, epoch, tally,
    result, meeting, me, team,
):  # fmt: skip
    """Write grad and result = (cost, Σ w of right examples, Σ w) of `rows`, without a penalty.

    fresh: 0 where input and targets of these examples lie in the workspace already, and Σ w in
    result. tally (groups, 2): for as many groups of blocks as the layout says; none: the whole
    batch at once.
    """
    total = total_weight(w, rows) if fresh != 0 else result[2]
    if total == 0:
        if me == 0:
            for i in range(3):
                result[i] = 0
        barrier_wait(meeting, me, team)
        return
    if me == 0:
        result[2] = total
    if tally.shape[0] == 0:
        block_gradient(
            table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, fresh, total, settings,
            epoch, result, meeting, me, team,
        )  # fmt: skip
    else:
        blocked_gradient(
            table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, total, settings, epoch,
            tally, meeting, me, team,
        )  # fmt: skip
    if me == 0:
        for group in range(tally.shape[0]):
            for i in range(2):
                result[i] = tally[group, i] + (result[i] if group > 0 else 0.0)
