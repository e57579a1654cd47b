"""Backward through the rows of a program, cut into blocks that a team shares out.

As in `layers.py`, whose places in the workspace it reads: columns beyond the batch carry dZ = 0.
"""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import view, view_matrix
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from ..first_layer import driver
from ..first_layer.driver import pad_to_cache_lines
from ..gemm.microkernel import MR, NR_MAX
from ..ops import batchnorm, dense
from ..ops.activations import back, derive
from ..ops.random import drop_back
from ..threads.team import barrier_wait, static_partition
from .forward import (
    ACTIVATION,
    BATCHNORM,
    DENSE,
    DROPOUT,
    EXAMPLES,
    HIGH,
    IDENTITY,
    OUTPUTS,
    RELU,
    SOFTMAX,
    tiles,
)

FEATURES = NR_MAX  # features of a block of dW
#: Numbers of dZ that all features pass before the next, but HIGH tiles at least: in float32 512 KB.
#: 2048 → 2048 and batches of 256: dW at 142 GFLOP/s where all of dZ goes through, at 147 so (Xeon).
KEPT = 128 * 1024


@inlined
def _gated(ops, row):
    """How many rows below this DENSE one its product differentiates as it is written.

    One is a DENSE row with relu, two are a DROPOUT row over such a one: its A > 0 tells both.
    """
    below = row - 1
    if below > 1 and ops[below].kind == DROPOUT:
        below -= 1
    relu = below > 0 and ops[below].kind == DENSE and ops[below].code == RELU
    return row - below if relu else 0


def uses(ops):
    """What the kernels that differentiate activations are needed for, from an op table."""
    table, last = ops.view(np.recarray), int(ops["source"][-1])
    kinds, codes = ops["kind"].tolist(), ops["code"].tolist()
    dense = [row for row in range(1, last + 1) if kinds[row] == DENSE]
    passed = {row: _gated.py_func(table, row) for row in dense}
    gated = {row - count for row, count in passed.items() if count > 0}
    active = [row for row in dense if codes[row] != IDENTITY and row not in gated]
    active += [row for row in range(1, last + 1) if kinds[row] == ACTIVATION]
    return {back(codes[row]) for row in active}


@inlined
def _back_products(
    table, ops, row, theta, grad, work, ld, places, D, dA, gated, m, mp, epoch, me, team
):
    """dW of a DENSE row and dA (n_in, ld) at dA below it, or dZ if gated, from its dZ at D.

    Of dW a member writes rows of outputs, nearly those of which it moves the weights.
    """
    op = ops[row]
    panel = places.blocks + me * places.block
    down, across = tiles(op.n_out), (op.n_in + FEATURES - 1) // FEATURES
    tile, end = static_partition(down * across, me, team)
    most = min(max(KEPT // (MR * ld), HIGH), (down + team - 1) // team)
    while tile < end:
        top = tile // (most * across) * most
        high, inside = min(most, down - top), tile - top * across
        k, o = inside // high * FEATURES, top + inside % high
        count = min(top + high - o, end - tile)
        dense.backward_weights(
            table, grad, op.W, op.n_in, op.n_out, work, D, work, ops[row - 1].A * ld, ld, m,
            o * MR, min((o + count) * MR, op.n_out), k, min(k + FEATURES, op.n_in), work, panel,
        )  # fmt: skip
        tile += count
    if row == 1:
        return
    below = ops[row - 1]
    gate = below.A * ld if gated else -1
    factor = 1 / (1 - below.rate) if below.kind == DROPOUT and epoch >= 0 else 1.0
    down, across = tiles(op.n_in), (mp + EXAMPLES - 1) // EXAMPLES
    tile, end = static_partition(down * across, me, team)
    while tile < end:
        j, i = tile // down * EXAMPLES, tile % down
        count = min(HIGH, down - i, end - tile)
        dense.backward_input(
            table, theta, op.W, op.n_in, op.n_out, work, D + j, work, dA + j, ld,
            min(EXAMPLES, mp - j), i * MR, min((i + count) * MR, op.n_in),
            gate + j if gate >= 0 else gate, factor, work, panel,
        )  # fmt: skip
        tile += count


@inlined
def _back_outputs(table, op, grad, work, ld, places, A, D, m, mp, derived, meeting, me, team):
    """Write dZ of a DENSE row in the place of its dA, D (n_out, ld), and db.   A (n_out, ld).

    derived: D is dZ already.
    """
    Z = view_matrix(work, op.Z * ld, op.n_out, ld)
    scratch = view_matrix(work, places.scratch, 3, ld)
    if op.code == SOFTMAX:
        if me == 0:
            derive(table, op.code, D, Z, A, D, mp, 0, op.n_out, scratch)
        barrier_wait(meeting, me, team)
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        o0, o1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        if op.code != SOFTMAX and op.code != IDENTITY and not derived:
            derive(table, op.code, D, Z, A, D, mp, o0, o1, scratch)
        if op.b >= 0:
            dense.backward_biases(table, D, m, view(grad, op.b, op.n_out), o0, o1)
    if not derived:
        barrier_wait(meeting, me, team)


@indirect("T O i F1 F1 F1 F2 F2 F2 F2 I1 i i i i", requires="elementwise in training")
def back_elementwise(
    table, ops, row, theta, grad, state, before, A, D, dA, rows, mp, epoch, me, team
):
    """dA (n, ld) below a DROPOUT, NOISE or BATCHNORM row from D above it; dγ and dβ."""
    op = ops[row]
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        k0, k1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        if op.kind == BATCHNORM:
            n = op.n_out
            mean, variance = view(state, op.state + 2 * n, n), view(state, op.state + 3 * n, n)
            batchnorm.differentiate(
                table, before, rows.size, mp, mean, variance, view(theta, op.W, n), op.offset,
                D, dA, view(grad, op.W, n), view(grad, op.b, n), k0, k1,
            )  # fmt: skip
        else:
            drawn = rows.size if op.kind == DROPOUT and epoch >= 0 else 0
            for k in range(k0, k1):
                for j in range(drawn, mp):
                    dA[k, j] = D[k, j]
            if drawn > 0:
                drop_back(table, A, D, dA, drawn, k0, k1, op.rate)


@indirect("T O i F1 F1 F1 F1 i P X I1 i I1 i i", requires="training")
def backward(
    table, ops, last, theta, grad, state, work, ld, places, X, rows, epoch, meeting, me, team
):
    """From D of row `last` write the part of grad of every row below and at it."""
    m, mp = rows.size, pad_to_cache_lines(rows.size, work.itemsize)
    row, side, derived = last, last % 2, False
    while row > 0:
        op, passed = ops[row], 1
        d, below = places.D + side * places.swap, places.D + (1 - side) * places.swap
        D, dA = view_matrix(work, d, op.n_out, ld), view_matrix(work, below, op.n_in, ld)
        before = view_matrix(work, ops[row - 1].A * ld, op.n_in, ld)
        A = view_matrix(work, op.A * ld, op.n_out, ld)
        if op.kind == DENSE:
            gated = _gated(ops, row)
            _back_outputs(
                table, op, grad, work, ld, places, A, D, m, mp, derived, meeting, me, team
            )
            if row == 1 and ops[0].A < 0:
                own = places.blocks + me * places.block
                driver.backward(table, ops, grad, state, work, ld, d, own, X, rows, me, team)
            else:
                _back_products(
                    table, ops, row, theta, grad, work, ld, places, d, below, gated > 0, m, mp,
                    epoch, me, team,
                )  # fmt: skip
            passed, derived = max(gated, 1), gated > 0
        elif op.kind != ACTIVATION:
            back_elementwise(
                table, ops, row, theta, grad, state, before, A, D, dA, rows, mp, epoch, me, team
            )
        elif me == 0:
            scratch = view_matrix(work, places.scratch, 3, ld)
            derive(table, op.code, D, before, A, dA, mp, 0, op.n_out, scratch)
        barrier_wait(meeting, me, team)
        row, side = row - passed, 1 - side
