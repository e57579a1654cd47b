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
from .memory import gather, matrix, part
from .random import dropout, noise
from .team import meet

DENSE, ACTIVATION, SOFTMAX = int(Kind.DENSE), int(Kind.ACTIVATION), int(Activation.SOFTMAX)
DROPOUT, NOISE, BATCHNORM = int(Kind.DROPOUT), int(Kind.NOISE), int(Kind.BATCHNORM)
INFERENCE = int(Mode.INFERENCE)

LANES = 32  # examples are padded to a multiple of this
OUTPUTS = 16  # outputs of a block
EXAMPLES = 512  # examples of a block
FEATURES = 32  # features of the user's array that are read, converted and scaled at a time

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
def block_of(work, me, blocks, n, width):
    """Member `me`'s own buffer (n, width) for features of the user's array; width ≤ EXAMPLES."""
    return matrix(work, blocks + me * FEATURES * EXAMPLES, n, width)


@inlined
def read(table, op, state, X, rows, k0, block):
    """block (n, w) = features k0 … of X[rows], scaled as the INPUT row says."""
    shift = part(state, op.state, op.stats)
    factor = part(state, op.state + op.stats, op.stats)
    rest = part(state, op.state + 2 * op.stats, op.stats)
    gather(table, X, rows, k0, op.stats, shift, factor, rest, op.offset, block)


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
def _fill(op, theta, Z, z, n, o0, o1):
    """Z[o0:o1, z:z+n] = the biases."""
    for o in range(o0, o1):
        b = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
        for j in range(z, z + n):
            Z[o, j] = b


@inlined
def _dense_reading(table, ops, op, theta, state, work, blocks, X, rows, Z, A, scratch, me, team):
    """Z, A (n_out, ld) of the first DENSE row, straight from the user's array, block by block."""
    W = matrix(theta, op.W, op.n_out, op.n_in)
    mp = padded(rows.size)
    for tile in range(me, (mp + EXAMPLES - 1) // EXAMPLES, team):
        j0 = tile * EXAMPLES
        n = min(EXAMPLES, mp - j0)
        some = part(rows, j0, min(n, rows.size - j0))
        _fill(op, theta, Z, j0, n, 0, op.n_out)
        for k0 in range(0, op.n_in, FEATURES):
            block = block_of(work, me, blocks, min(FEATURES, op.n_in - k0), n)
            read(table, ops[0], state, X, some, k0, block)
            dense.forward(table, W, k0, block, 0, Z, j0, n, 0, op.n_out)
        if op.code != SOFTMAX:
            _activate(table, op.code, Z, A, j0, n, 0, op.n_out, scratch)


@inlined
def _dense(table, op, theta, before, Z, A, mp, scratch, me, team):
    """Z, A (n_out, ld) of a DENSE row from the A (n_in, ld) before it."""
    W = matrix(theta, op.W, op.n_out, op.n_in)
    across = (mp + EXAMPLES - 1) // EXAMPLES
    down = (op.n_out + OUTPUTS - 1) // OUTPUTS
    for tile in range(me, across * down, team):
        j0, o0 = tile % across * EXAMPLES, tile // across * OUTPUTS
        n, o1 = min(EXAMPLES, mp - j0), min(o0 + OUTPUTS, op.n_out)
        _fill(op, theta, Z, j0, n, o0, o1)
        dense.forward(table, W, 0, before, j0, Z, j0, n, o0, o1)
        if op.code != SOFTMAX:
            _activate(table, op.code, Z, A, j0, n, o0, o1, scratch)


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


@linked("T O i F1 F1 F1 i P X I1 i i I1 i i")
def forward(
    table, ops, last, theta, state, work, ld, places, X, rows, seed, epoch, meeting, me, team
):
    """Compute Z and A of the rows 1 … last for the examples `rows`, each in its place in work."""
    mp = padded(rows.size)
    scratch = matrix(work, places.scratch, 3, ld)
    if ops[1].kind != DENSE and me == 0:
        for j0 in range(0, mp, EXAMPLES):
            some = part(rows, j0, min(EXAMPLES, rows.size - j0))
            for k in range(ops[0].n_in):
                start = (ops[0].A + k) * ld + j0
                block = matrix(work, start, 1, min(EXAMPLES, mp - j0))
                read(table, ops[0], state, X, some, k, block)
    meet(meeting, me, team)
    for row in range(1, last + 1):
        op = ops[row]
        A = matrix(work, op.A * ld, op.n_out, ld)
        Z = matrix(work, op.Z * ld, op.n_out, ld)
        before = matrix(work, ops[row - 1].A * ld, op.n_in, ld)
        if row == 1 and op.kind == DENSE:
            _dense_reading(
                table, ops, op, theta, state, work, places.blocks, X, rows, Z, A, scratch, me, team
            )
        elif op.kind == DENSE:
            _dense(table, op, theta, before, Z, A, mp, scratch, me, team)
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
def _back_weights(table, op, grad, A, D, mp, me, team):
    """dW and db of a DENSE row from dZ = D (n_out, ld) and A (n_in, ld)."""
    dW = matrix(grad, op.W, op.n_out, op.n_in)
    for tile in range(me, (op.n_out + OUTPUTS - 1) // OUTPUTS, team):
        o0, o1 = tile * OUTPUTS, min(tile * OUTPUTS + OUTPUTS, op.n_out)
        for i in range(o0 * op.n_in, o1 * op.n_in):
            grad[op.W + i] = 0
        for j0 in range(0, mp, EXAMPLES):
            dense.backward_weights(table, D, j0, A, j0, min(EXAMPLES, mp - j0), dW, 0, o0, o1)


@inlined
def _back_weights_reading(table, ops, op, grad, state, work, blocks, X, rows, D, me, team):
    """dW of the first DENSE row from dZ = D (n_out, ld) and the user's array."""
    dW = matrix(grad, op.W, op.n_out, op.n_in)
    mp = padded(rows.size)
    for tile in range(me, (op.n_in + FEATURES - 1) // FEATURES, team):
        k0 = tile * FEATURES
        width = min(FEATURES, op.n_in - k0)
        for o in range(op.n_out):
            for k in range(k0, k0 + width):
                dW[o, k] = 0
        for j0 in range(0, mp, EXAMPLES):
            n = min(EXAMPLES, mp - j0)
            block = block_of(work, me, blocks, width, n)
            some = part(rows, j0, min(n, rows.size - j0))
            read(table, ops[0], state, X, some, k0, block)
            dense.backward_weights(table, D, j0, block, 0, n, dW, k0, 0, op.n_out)


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
        if op.code != SOFTMAX:
            _derive(table, op.code, D, Z, out, D, mp, o0, o1, scratch)
        if op.b >= 0:
            dense.backward_biases(table, D, m, part(grad, op.b, op.n_out), o0, o1)
    meet(meeting, me, team)
    if row == 1:
        _back_weights_reading(
            table, ops, op, grad, state, work, places.blocks, X, rows, D, me, team
        )
        return
    A = matrix(work, ops[row - 1].A * ld, op.n_in, ld)
    dA = matrix(work, places.D + (row - 1) % 2 * places.swap, op.n_in, ld)
    _back_weights(table, op, grad, A, D, mp, me, team)
    W = matrix(theta, op.W, op.n_out, op.n_in)
    across = (mp + EXAMPLES - 1) // EXAMPLES
    for tile in range(me, across * ((op.n_in + OUTPUTS - 1) // OUTPUTS), team):
        j0, i0 = tile % across * EXAMPLES, tile // across * OUTPUTS
        n, i1 = min(EXAMPLES, mp - j0), min(i0 + OUTPUTS, op.n_in)
        dense.backward_input(table, W, D, dA, j0, n, i0, i1)


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
