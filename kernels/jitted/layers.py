"""Forward through the rows of a program, cut into blocks that a team shares out.

Blocks depend on the problem's size alone and each is computed whole by one member, in one order:
so the bits do not depend on the number of threads. Activations lie feature by feature, (n, ld),
ld examples wide; columns beyond the batch carry dZ = 0 and so add nothing.
"""

from __future__ import annotations

from collections import namedtuple

import numba
from numba import types

from ..opcodes import OP, Activation, Kind, Mode
from . import batchnorm, dense, inplace, sparse
from ._jit import inlined, kernel
from ._link import EXTRA, linked
from .activations import activate
from .dots import dots
from .gather import gather
from .memory import clear, matrix, part
from .pack import lanes_of, pick, transpose
from .random import dropout, noise
from .team import meet

DENSE, ACTIVATION, SOFTMAX = int(Kind.DENSE), int(Kind.ACTIVATION), int(Activation.SOFTMAX)
RELU, IDENTITY = int(Activation.RELU), int(Activation.IDENTITY)
DROPOUT, NOISE, BATCHNORM = int(Kind.DROPOUT), int(Kind.NOISE), int(Kind.BATCHNORM)
INFERENCE = int(Mode.INFERENCE)

LINE = 64  # bytes that numbers of examples are padded to: a cache line, whole vectors
OUTPUTS = 24  # outputs of a block: whole tiles
EXAMPLES = 512  # examples of a block
BLOCK = 48 * 1024  # numbers that a member reads and scales at a time: second-level cache
LENGTH = 528  # features of them: an odd count of cache lines, lest rows meet in few sets

#: Where parts of the workspace begin: two buffers for dA, `swap` apart, used in turn;
#: scratch (3, ld), targets (K, ld), weights (2, ld) of the batch; the gradient of a block of
#: `examples`, if the batch has several; each member's block of features.
Places = namedtuple("Places", "D swap scratch targets weights own blocks examples")
EXTRA["P"] = types.NamedUniTuple(types.int64, len(Places._fields), Places)
EXTRA["O"] = types.Array(numba.from_dtype(OP), 1, "C")


@kernel
def padded(m, itemsize):
    """M rounded up to whole vectors of numbers of that size."""
    line = LINE // itemsize
    return (m + line - 1) // line * line


@inlined
def read(table, op, state, X, rows, k0, block):
    """Block (n, w) = features k0 … of X[rows], scaled as the INPUT row says."""
    shift = part(state, op.state, op.stats)
    factor = part(state, op.state + op.stats, op.stats)
    rest = part(state, op.state + 2 * op.stats, op.stats)
    gather(table, X, rows, k0, op.stats, shift, factor, rest, op.offset, block)


@inlined
def _share(m, itemsize, me, team):
    """First and last of member `me`'s examples: whole vectors, as even as can be."""
    line = LINE // itemsize
    groups = (m + line - 1) // line
    return min(groups * me // team * line, m), min(groups * (me + 1) // team * line, m)


@inlined
def _input(table, ops, state, work, ld, blocks, X, rows, me, team):
    """Lay the input out feature by feature: A (n, ld) of row 0, finite beyond the batch."""
    op = ops[0]
    m, mp = rows.size, padded(rows.size, work.itemsize)
    first, last = _share(m, work.itemsize, me, team)
    width = min(op.n_out, LENGTH)
    alike = op.stats == 0 and X[2] == 1 and X[3] == (0 if work.itemsize == 4 else 1)
    if alike:
        pick(table, X, part(rows, first, last - first), op.n_out, work, op.A * ld + first, ld)
    for j in range(first, first if alike else last, BLOCK // LENGTH):
        n = min(BLOCK // LENGTH, last - j)
        for k in range(0, op.n_out, width):
            w = min(width, op.n_out - k)
            block = matrix(work, blocks, n, w)
            read(table, op, state, X, part(rows, j, n), k, block)
            transpose(table, n, w, work, blocks, w, work, (op.A + k) * ld + j, ld, 0)
    beyond = (m + lanes_of(work) - 1) // lanes_of(work) * lanes_of(work) if alike else m
    for k in range(op.n_out if last == m and beyond < mp else 0):
        clear(part(work, (op.A + k) * ld + beyond, mp - beyond))


@linked("T O F1 F1 F1 i i X I1 F2 F2 F2 i i", when="reading")
def dense_reading(table, ops, theta, state, work, ld, blocks, X, rows, Z, A, scratch, me, team):
    """Z, A (n_out, ld) of the first DENSE row, straight from the user's array, block by block."""
    op = ops[1]
    first, last = _share(rows.size, work.itemsize, me, team)
    tall, whole = BLOCK // LENGTH, sparse.multiplies(ops[0], X)
    for o in range(op.n_out):
        b = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
        for j in range(first, padded(last, work.itemsize)):
            Z[o, j] = b
    if whole:
        own, z = part(rows, first, last - first), op.Z * ld + first
        sparse.forward(
            table, X, own, op.n_out, op.n_in, theta, op.W, work, z, ld, blocks, BLOCK
        )  # fmt: skip
    # Features outermost: their weights stay in the cache while the examples pass.
    lies = inplace.marked(X)
    for tile in range(max(op.n_in // inplace.SPAN, 1) if lies and last > first else 0):
        k, w = inplace.span(op.n_in, tile)
        inplace.forward(
            table, ops[0], op.n_out, w, X, part(rows, first, last - first), k, state,
            theta, op.W + k, op.n_in, work, op.Z * ld + first, ld,
        )  # fmt: skip
    for k in range(0, 0 if whole or lies else op.n_in, LENGTH):
        w = min(LENGTH, op.n_in - k)
        for j in range(first, last, tall):
            n = min(tall, last - j)
            block = matrix(work, blocks, n, w)
            read(table, ops[0], state, X, part(rows, j, n), k, block)
            dots(
                table, n, op.n_out, w, work, blocks, w, theta, op.W + k, op.n_in,
                work, op.Z * ld + j, 1, ld, 1,
            )  # fmt: skip
    if op.code != SOFTMAX and last > first:
        activate(
            table, op.code, Z, A, first, padded(last, work.itemsize) - first, 0, op.n_out, scratch
        )


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
            activate(table, op.code, Z, A, j, n, o0, o1, scratch)


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
            drawn = rows.size if epoch >= 0 else 0
            for k in range(k0, k1):
                for j in range(drawn, mp):
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
    mp = padded(rows.size, work.itemsize)
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
            dense_reading(
                table, ops, theta, state, work, ld, blocks, X, rows, Z, A, scratch, me, team
            )
        elif op.kind == DENSE:
            _dense(table, ops, row, theta, work, ld, Z, A, mp, scratch, me, team)
        elif op.kind != ACTIVATION:
            elementwise(table, ops, row, theta, state, before, A, rows, mp, seed, epoch, me, team)
        elif me == 0:
            activate(table, op.code, before, A, 0, mp, 0, op.n_out, scratch)
        meet(meeting, me, team)
        if op.kind == DENSE and op.code == SOFTMAX:
            if me == 0:
                activate(table, op.code, Z, A, 0, mp, 0, op.n_out, scratch)
            meet(meeting, me, team)
