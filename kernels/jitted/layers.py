"""Forward and backward through the rows of a program, cut into blocks that a team shares out.

Blocks depend on the problem's size alone and each is computed whole by one member, in one order:
so the bits do not depend on the number of threads. Activations lie feature by feature, (n, ld),
ld examples wide; columns beyond the batch carry dZ = 0 and so add nothing.
"""

from __future__ import annotations

from collections import namedtuple

import numba
from numba import types

from ..opcodes import OP, Activation, Kind, Mode
from . import batchnorm, dense
from ._jit import inlined, kernel
from ._link import EXTRA, linked
from .activations import activate, activate_smooth, derive, derive_smooth
from .dots import dots
from .gemm import ADD, ZERO, multiply
from .memory import gather, matrix, part
from .pack import transpose
from .random import dropout, noise
from .team import meet

DENSE, ACTIVATION, SOFTMAX = int(Kind.DENSE), int(Kind.ACTIVATION), int(Activation.SOFTMAX)
RELU, IDENTITY = int(Activation.RELU), int(Activation.IDENTITY)
DROPOUT, NOISE, BATCHNORM = int(Kind.DROPOUT), int(Kind.NOISE), int(Kind.BATCHNORM)
INFERENCE = int(Mode.INFERENCE)

LANES = 16  # examples are padded to a multiple of this: whole vectors
OUTPUTS = 24  # outputs of a block: whole tiles
EXAMPLES = 512  # examples of a block
FEATURES = 64  # features of a block: a tile's width
BLOCK = 48 * 1024  # numbers that a member reads, converts and scales at a time: second-level cache
LENGTH = 512  # features that a dot product takes at a time

#: Where parts of the workspace begin: two buffers for dA, `swap` apart, used in turn;
#: scratch (3, ld), targets (K, ld), weights (2, ld) of the batch; each member's block of features.
Places = namedtuple("Places", "D swap scratch targets weights blocks")
EXTRA["P"] = types.NamedUniTuple(types.int64, len(Places._fields), Places)
EXTRA["O"] = types.Array(numba.from_dtype(OP), 1, "C")


@kernel
def padded(m):
    """M rounded up to whole vectors."""
    return (m + LANES - 1) // LANES * LANES


@inlined
def read(table, op, state, X, rows, k0, block):
    """Block (n, w) = features k0 … of X[rows], scaled as the INPUT row says."""
    shift = part(state, op.state, op.stats)
    factor = part(state, op.state + op.stats, op.stats)
    rest = part(state, op.state + 2 * op.stats, op.stats)
    gather(table, X, rows, k0, op.stats, shift, factor, rest, op.offset, block)


@inlined
def _share(m, me, team):
    """First and last of member `me`'s examples: whole vectors, as even as can be."""
    groups = (m + LANES - 1) // LANES
    return min(groups * me // team * LANES, m), min(groups * (me + 1) // team * LANES, m)


@inlined
def _input(table, ops, state, work, ld, blocks, X, rows, me, team):
    """Lay the input out feature by feature: A (n, ld) of row 0, zero beyond the batch."""
    op = ops[0]
    m, mp = rows.size, padded(rows.size)
    first, last = _share(m, me, team)
    width = min(op.n_out, LENGTH)
    for j in range(first, last, BLOCK // LENGTH):
        n = min(BLOCK // LENGTH, last - j)
        for k in range(0, op.n_out, width):
            w = min(width, op.n_out - k)
            block = matrix(work, blocks, n, w)
            read(table, op, state, X, part(rows, j, n), k, block)
            transpose(table, n, w, work, blocks, w, work, (op.A + k) * ld + j, ld)
    if last == m:
        for k in range(op.n_out):
            for j in range(m, mp):
                work[(op.A + k) * ld + j] = 0


@inlined
def _activate(table, code, Z, A, j0, n, o0, o1, scratch):
    """A[o0:o1, j0:j0+n] = g(Z[…])."""
    if code > SOFTMAX:
        activate_smooth(table, code, Z, A, j0, n, o0, o1, scratch)
    else:
        activate(table, code, Z, A, j0, n, o0, o1, scratch)


@inlined
def _derive(table, code, dA, Z, A, dZ, n, o0, o1, scratch):
    """dZ[o0:o1, :n] = dA g'(Z)."""
    if code > SOFTMAX:
        derive_smooth(table, code, dA, Z, A, dZ, n, o0, o1, scratch)
    else:
        derive(table, code, dA, Z, A, dZ, n, o0, o1, scratch)


@inlined
def _dense_reading(table, ops, theta, state, work, ld, blocks, X, rows, Z, A, scratch, me, team):
    """Z, A (n_out, ld) of the first DENSE row, straight from the user's array, block by block."""
    op = ops[1]
    first, last = _share(rows.size, me, team)
    tall = BLOCK // LENGTH
    for o in range(op.n_out):
        b = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
        for j in range(first, padded(last)):
            Z[o, j] = b
    # Features outermost: their weights stay in the cache while the examples pass.
    for k in range(0, op.n_in, LENGTH):
        for j in range(first, last, tall):
            n, w = min(tall, last - j), min(LENGTH, op.n_in - k)
            block = matrix(work, blocks, n, w)
            read(table, ops[0], state, X, part(rows, j, n), k, block)
            dots(
                table, n, op.n_out, w, work, blocks, w, theta, op.W + k, op.n_in,
                work, op.Z * ld + j, 1, ld, 1,
            )  # fmt: skip
    if op.code != SOFTMAX and last > first:
        _activate(table, op.code, Z, A, first, padded(last) - first, 0, op.n_out, scratch)


@inlined
def _dense(table, ops, row, theta, work, ld, Z, A, mp, scratch, me, team):
    """Z, A (n_out, ld) of a DENSE row from the A (n_in, ld) before it."""
    op = ops[row]
    across = (mp + EXAMPLES - 1) // EXAMPLES
    down = (op.n_out + OUTPUTS - 1) // OUTPUTS
    relu = 1 if op.code == RELU else 0
    for tile in range(me, across * down, team):
        j, o0 = tile % across * EXAMPLES, tile // across * OUTPUTS
        n, o1 = min(EXAMPLES, mp - j), min(o0 + OUTPUTS, op.n_out)
        dense.forward(
            table, theta, op.W, op.b, op.n_in, o0, work, ops[row - 1].A * ld + j,
            work, op.Z * ld + j, ld, n, o1, relu,
        )  # fmt: skip
        if op.code != SOFTMAX and op.code != RELU and op.code != IDENTITY:
            _activate(table, op.code, Z, A, j, n, o0, o1, scratch)


@linked("T O i F1 F1 F2 F2 I1 i i i i i", when="elementwise")
def elementwise(table, ops, row, theta, state, before, A, rows, mp, seed, epoch, me, team):
    """A (n, ld) of a DROPOUT, NOISE or BATCHNORM row from the A before it."""
    op = ops[row]
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        k0, k1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        if op.kind == BATCHNORM:
            n = op.n_out
            first = op.state if epoch == INFERENCE else op.state + 2 * n
            mean, variance = part(state, first, n), part(state, first + n, n)
            if epoch != INFERENCE:
                batchnorm.moments(table, before, rows.size, mean, variance, k0, k1)
            gamma, beta = part(theta, op.W, n), part(theta, op.b, n)
            batchnorm.normalize(
                table, before, mp, mean, variance, gamma, beta, op.offset, A, k0, k1
            )
        else:
            for k in range(k0, k1):
                for j in range(mp):
                    A[k, j] = before[k, j]
            if epoch >= 0 and op.kind == DROPOUT:
                dropout(table, before, A, rows, k0, k1, op.rate, seed, op.layer, epoch)
            elif epoch >= 0:
                noise(table, before, A, rows, k0, k1, op.rate, seed, op.layer, epoch)


@linked("T O i F1 F1 F1 i P X I1 i i i I1 i i")
def forward(
    table, ops, last, theta, state, work, ld, places, X, rows, fresh, seed, epoch, meeting, me, team
):
    """Compute Z and A of the rows 1 … last for the examples `rows`, each in its place in work.

    fresh: 0 where the input of these examples lies in its place already.
    """
    mp = padded(rows.size)
    scratch = matrix(work, places.scratch, 3, ld)
    blocks = places.blocks + me * BLOCK
    if ops[0].A >= 0 and fresh != 0:
        _input(table, ops, state, work, ld, blocks, X, rows, me, team)
        meet(meeting, me, team)
    for row in range(1, last + 1):
        op = ops[row]
        A = matrix(work, op.A * ld, op.n_out, ld)
        Z = matrix(work, op.Z * ld, op.n_out, ld)
        before = matrix(work, ops[row - 1].A * ld, op.n_in, ld)
        if row == 1 and ops[0].A < 0:
            _dense_reading(
                table, ops, theta, state, work, ld, blocks, X, rows, Z, A, scratch, me, team
            )
        elif op.kind == DENSE:
            _dense(table, ops, row, theta, work, ld, Z, A, mp, scratch, me, team)
        elif op.kind != ACTIVATION:
            elementwise(table, ops, row, theta, state, before, A, rows, mp, seed, epoch, me, team)
        elif me == 0:
            _activate(table, op.code, before, A, 0, mp, 0, op.n_out, scratch)
        meet(meeting, me, team)
        if op.kind == DENSE and op.code == SOFTMAX:
            if me == 0:
                _activate(table, op.code, Z, A, 0, mp, 0, op.n_out, scratch)
            meet(meeting, me, team)


@inlined
def _back_weights_reading(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """dW of the first DENSE row from dZ (n_out, ld) at D and the user's array."""
    op = ops[1]
    for tile in range(me, (op.n_in + FEATURES - 1) // FEATURES, team):
        k = tile * FEATURES
        w = min(FEATURES, op.n_in - k)
        for j in range(0, rows.size, BLOCK // FEATURES - 1):
            n = min(BLOCK // FEATURES - 1, rows.size - j)  # a tile may read past the last row
            read(table, ops[0], state, X, part(rows, j, n), k, matrix(work, blocks, n, w))
            multiply(
                table, op.n_out, w, n, work, D + j, ld, 1, work, blocks, w, grad, op.W + k, op.n_in,
                grad, 0, ZERO if j == 0 else ADD, 0,
            )  # fmt: skip


@inlined
def _back_products(table, ops, row, theta, grad, work, ld, places, mp, me, team):
    """dW of a DENSE row and dA (n_in, ld) below it, from its dZ (n_out, ld)."""
    op = ops[row]
    D = places.D + row % 2 * places.swap
    for tile in range(me, (op.n_in + FEATURES - 1) // FEATURES, team):
        k = tile * FEATURES
        dense.backward_weights(
            table, grad, op.W, op.n_in, op.n_out, work, D, work, ops[row - 1].A * ld, ld, mp,
            k, min(k + FEATURES, op.n_in), work, places.blocks + me * BLOCK,
        )  # fmt: skip
    if row == 1:
        return
    dA = places.D + (row - 1) % 2 * places.swap
    across = (mp + EXAMPLES - 1) // EXAMPLES
    for tile in range(me, across * ((op.n_in + OUTPUTS - 1) // OUTPUTS), team):
        j, i = tile % across * EXAMPLES, tile // across * OUTPUTS
        dense.backward_input(
            table, theta, op.W, op.n_in, op.n_out, work, D + j, work, dA + j, ld,
            min(EXAMPLES, mp - j), i, min(i + OUTPUTS, op.n_in),
        )  # fmt: skip


@inlined
def _back_dense(
    table, ops, row, theta, grad, state, work, ld, places, X, rows, D, meeting, me, team
):
    """From D = dA (n_out, ld) of a DENSE row: dZ in its place, dW, db, and dA (n_in, ld) below."""
    op = ops[row]
    m, mp = rows.size, padded(rows.size)
    out, Z = matrix(work, op.A * ld, op.n_out, ld), matrix(work, op.Z * ld, op.n_out, ld)
    scratch = matrix(work, places.scratch, 3, ld)
    if op.code == SOFTMAX:
        if me == 0:
            _derive(table, op.code, D, Z, out, D, mp, 0, op.n_out, scratch)
        meet(meeting, me, team)
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        o0, o1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        if op.code != SOFTMAX and op.code != IDENTITY:
            _derive(table, op.code, D, Z, out, D, mp, o0, o1, scratch)
        if op.b >= 0:
            dense.backward_biases(table, D, m, part(grad, op.b, op.n_out), o0, o1)
    meet(meeting, me, team)
    if row == 1 and ops[0].A < 0:
        _back_weights_reading(
            table, ops, grad, state, work, ld, places.D + places.swap,
            places.blocks + me * BLOCK, X, rows, me, team,
        )  # fmt: skip
    else:
        _back_products(table, ops, row, theta, grad, work, ld, places, mp, me, team)


@linked("T O i F1 F1 F1 F2 F2 F2 I1 i i i i i", when="elementwise")
def back_elementwise(
    table, ops, row, theta, grad, state, before, D, dA, rows, mp, seed, epoch, me, team
):
    """dA (n, ld) below a DROPOUT, NOISE or BATCHNORM row from D above it; dγ and dβ."""
    op = ops[row]
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        k0, k1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        if op.kind == BATCHNORM:
            n = op.n_out
            mean, variance = part(state, op.state + 2 * n, n), part(state, op.state + 3 * n, n)
            batchnorm.differentiate(
                table, before, rows.size, mp, mean, variance, part(theta, op.W, n), op.offset,
                D, dA, part(grad, op.W, n), part(grad, op.b, n), k0, k1,
            )  # fmt: skip
        else:
            for k in range(k0, k1):
                for j in range(mp):
                    dA[k, j] = D[k, j]
            if op.kind == DROPOUT and epoch >= 0:
                dropout(table, D, dA, rows, k0, k1, op.rate, seed, op.layer, epoch)


@linked("T O i F1 F1 F1 F1 i P X I1 i i I1 i i")
def backward(
    table, ops, last, theta, grad, state, work, ld, places, X, rows, seed, epoch, meeting, me, team
):
    """From D of row `last` write the part of grad of every row below and at it."""
    mp = padded(rows.size)
    for row in range(last, 0, -1):
        op = ops[row]
        D = matrix(work, places.D + row % 2 * places.swap, op.n_out, ld)
        dA = matrix(work, places.D + (row - 1) % 2 * places.swap, op.n_in, ld)
        before = matrix(work, ops[row - 1].A * ld, op.n_in, ld)
        if op.kind == DENSE:
            _back_dense(
                table, ops, row, theta, grad, state, work, ld, places, X, rows, D, meeting, me, team
            )
        elif op.kind != ACTIVATION:
            back_elementwise(
                table, ops, row, theta, grad, state, before, D, dA, rows, mp, seed, epoch, me, team
            )
        elif me == 0:
            out = matrix(work, op.A * ld, op.n_out, ld)
            scratch = matrix(work, places.scratch, 3, ld)
            _derive(table, op.code, D, before, out, dA, mp, 0, op.n_out, scratch)
        meet(meeting, me, team)
