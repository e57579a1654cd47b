"""Forward through the rows of a program, cut into blocks that a team shares out.

Each number is computed by one member in one order, whatever block it lies in: so the bits do not
depend on the number of threads. Activations lie feature by feature, (n, ld),
ld examples wide; columns beyond the batch carry dZ = 0 and so add nothing.
"""

from __future__ import annotations

from collections import namedtuple

import numba
from numba import types

from ...opcodes import OP, Activation, Kind, Mode
from ..codegen.pointers import fill_zero, view, view_matrix
from ..compiler.dispatch_table import EXTRA_TYPES, indirect
from ..compiler.jit import inlined
from ..first_layer import driver
from ..first_layer.driver import (
    BLOCK_FEATURES,
    BLOCK_NUMBERS,
    pad_to_cache_lines,
    partition_cache_lines,
    read_block,
)
from ..gemm.microkernel import MR
from ..gemm.packing import gather_rows, lane_count, transpose
from ..ops import batchnorm, dense
from ..ops.activations import activate
from ..ops.random import dropout, noise
from ..threads.team import barrier_wait, static_partition

DENSE, ACTIVATION, SOFTMAX = int(Kind.DENSE), int(Kind.ACTIVATION), int(Activation.SOFTMAX)
RELU, IDENTITY = int(Activation.RELU), int(Activation.IDENTITY)
DROPOUT, NOISE, BATCHNORM = int(Kind.DROPOUT), int(Kind.NOISE), int(Kind.BATCHNORM)
INFERENCE = int(Mode.INFERENCE)

OUTPUTS = 24  # units that a member takes at a time of what is no product
#: Tiles of a block of a product, above each other, at most: 54 → 128 took 131 GFLOP/s with 4, 150
#: so, 2048 → 2048 125 and 140 (Xeon, batches of 256).
HIGH = 16
EXAMPLES = 512  # examples of a block

#: Where parts of the workspace begin: two buffers for dA, `swap` apart, used in turn;
#: scratch (3, ld), targets (K, ld), weights (2, ld) of the batch; sums of groups of features that a
#: first layer reads; the gradient of a block of `examples`, if the batch has several; what each
#: member has for itself, `block` long.
WorkspaceOffsets = namedtuple(
    "WorkspaceOffsets", "D swap scratch targets weights sums own blocks block examples"
)
EXTRA_TYPES["P"] = types.NamedUniTuple(types.int64, len(WorkspaceOffsets._fields), WorkspaceOffsets)
EXTRA_TYPES["O"] = types.Array(numba.from_dtype(OP), 1, "C")


@inlined
def tiles(n):
    """How many tiles of a product lie above each other in n rows."""
    return (n + MR - 1) // MR


@indirect("T O F1 F1 i i X I1 i i", requires="input")
def _input(table, ops, state, work, ld, blocks, X, rows, me, team):
    """Lay the input out feature by feature: A (n, ld) of row 0, finite beyond the batch."""
    op = ops[0]
    m, mp = rows.size, pad_to_cache_lines(rows.size, work.itemsize)
    first, last = partition_cache_lines(m, work.itemsize, me, team)
    width = min(op.n_out, BLOCK_FEATURES)
    alike = op.stats == 0 and X[2] == 1 and X[3] == (0 if work.itemsize == 4 else 1)
    if alike:
        gather_rows(
            table, X, view(rows, first, last - first), op.n_out, work, op.A * ld + first, ld
        )
    for j in range(first, first if alike else last, BLOCK_NUMBERS // BLOCK_FEATURES):
        n = min(BLOCK_NUMBERS // BLOCK_FEATURES, last - j)
        for k in range(0, op.n_out, width):
            w = min(width, op.n_out - k)
            block = view_matrix(work, blocks, n, w)
            read_block(table, op, state, X, view(rows, j, n), k, block)
            transpose(table, n, w, work, blocks, w, work, (op.A + k) * ld + j, ld, 0)
    beyond = (m + lane_count(work) - 1) // lane_count(work) * lane_count(work) if alike else m
    for k in range(op.n_out if last == m and beyond < mp else 0):
        fill_zero(view(work, (op.A + k) * ld + beyond, mp - beyond))


@inlined
def _dense(table, ops, row, theta, work, ld, Z, A, mp, scratch, me, team):
    """Z, A (n_out, ld) of a DENSE row from the A (n_in, ld) before it."""
    op = ops[row]
    down, across = tiles(op.n_out), (mp + EXAMPLES - 1) // EXAMPLES
    tile, end = static_partition(down * across, me, team)
    relu = 1 if op.code == RELU else 0
    while tile < end:
        j, o = tile // down * EXAMPLES, tile % down
        count = min(HIGH, down - o, end - tile)
        n, o0, o1 = min(EXAMPLES, mp - j), o * MR, min((o + count) * MR, op.n_out)
        tile += count
        dense.forward(
            table, theta, op.W, op.b, op.n_in, o0, work, ops[row - 1].A * ld + j,
            work, op.Z * ld + j, ld, n, o1, relu,
        )  # fmt: skip
        if op.code != SOFTMAX and op.code != RELU and op.code != IDENTITY:
            activate(table, op.code, Z, A, j, n, o0, o1, scratch)


@indirect("T O i F1 F1 F2 F2 I1 i i i i i", requires="elementwise")
def elementwise(table, ops, row, theta, state, before, A, rows, mp, seed, epoch, me, team):
    """A (n, ld) of a DROPOUT, NOISE or BATCHNORM row from the A before it."""
    op = ops[row]
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        k0, k1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        if op.kind == BATCHNORM:
            n = op.n_out
            first = op.state if epoch == INFERENCE else op.state + 2 * n
            mean, variance = view(state, first, n), view(state, first + n, n)
            if epoch != INFERENCE:
                batchnorm.moments(table, before, rows.size, mean, variance, k0, k1)
            gamma, beta = view(theta, op.W, n), view(theta, op.b, n)
            batchnorm.normalize(
                table, before, mp, mean, variance, gamma, beta, op.offset, A, k0, k1
            )
        else:
            drawn = rows.size if epoch >= 0 else 0
            for k in range(k0, k1):
                for j in range(drawn, mp):
                    A[k, j] = before[k, j]
            if epoch >= 0 and op.kind == DROPOUT:
                dropout(table, before, A, rows, k0, k1, op.rate, seed, op.layer, epoch)
            elif epoch >= 0:
                noise(table, before, A, rows, k0, k1, op.rate, seed, op.layer, epoch)


@indirect("T O i F1 F1 F1 i P X I1 i i i I1 i i", requires="batch")
def forward(
    table, ops, last, theta, state, work, ld, places, X, rows, fresh, seed, epoch, meeting, me, team
):
    """Compute Z and A of the rows 1 … last for the examples `rows`, each in its place in work.

    fresh: 0 where the input of these examples lies in its place already.
    """
    mp = pad_to_cache_lines(rows.size, work.itemsize)
    scratch = view_matrix(work, places.scratch, 3, ld)
    blocks = places.blocks + me * places.block
    if ops[0].A >= 0 and fresh != 0:
        _input(table, ops, state, work, ld, blocks, X, rows, me, team)
        barrier_wait(meeting, me, team)
    for row in range(1, last + 1):
        op = ops[row]
        A = view_matrix(work, op.A * ld, op.n_out, ld)
        Z = view_matrix(work, op.Z * ld, op.n_out, ld)
        before = view_matrix(work, ops[row - 1].A * ld, op.n_in, ld)
        if row == 1 and ops[0].A < 0:
            driver.forward(
                table, ops, theta, state, work, ld, places, X, rows, Z, A, scratch, meeting, me,
                team,
            )  # fmt: skip
        elif op.kind == DENSE:
            _dense(table, ops, row, theta, work, ld, Z, A, mp, scratch, me, team)
        elif op.kind != ACTIVATION:
            elementwise(table, ops, row, theta, state, before, A, rows, mp, seed, epoch, me, team)
        elif me == 0:
            activate(table, op.code, before, A, 0, mp, 0, op.n_out, scratch)
        barrier_wait(meeting, me, team)
        if op.kind == DENSE and op.code == SOFTMAX:
            if me == 0:
                activate(table, op.code, Z, A, 0, mp, 0, op.n_out, scratch)
            barrier_wait(meeting, me, team)
