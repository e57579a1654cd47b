"""Ways to multiply rows of X where they lie: as floats, and bytes as integers, in panels or rows.

A call names those of its data, and only their kernels are compiled. The code of X tells which one:
MARK is added to it once for FLOATS, twice for PANELS and so on.
"""

from __future__ import annotations

from ..codegen.pointers import DTYPE_CODES, MARK
from ..codegen.vnni import VECTOR_BYTES
from ..compiler.dispatch_table import in_training, indirect_each
from ..compiler.jit import inlined
from ..threads.team import static_partition
from . import int8_gemm, int8_narrow_gemm, strided_gemm

FLOATS, PANELS, ROWS, ONE = 1, 2, 3, 4  # ONE: rows for a single output
USES = {
    PANELS: {"in place", int8_gemm.PANELS, int8_gemm.NAME},
    ROWS: {"in place", int8_narrow_gemm.NAME, int8_gemm.NAME},
    ONE: {"in place", int8_narrow_gemm.NAME, int8_narrow_gemm.ONE},
}
MARKED = MARK * FLOATS + DTYPE_CODES[int8_gemm.UINT8]  # the code of bytes that are read in place


def chosen(x, kind, ops, dtype, batch):
    """(description, names of what it needs) of marked X, of the dtype `kind`.

    dtype: the network's; batch: examples of a step, or of a prediction.
    """
    n, outputs = int(ops["n_in"][1]), int(ops["n_out"][1])
    if x[3] != MARKED or not int8_gemm.multiply(ops, dtype, batch):
        return x, strided_gemm.uses(kind, outputs)
    way = ROWS if int8_narrow_gemm.suit.py_func(n, outputs) else PANELS
    way = ONE if int8_narrow_gemm.suit_back.py_func(n, outputs) else way
    return (*x[:3], x[3] + (way - FLOATS) * MARK), USES[way]


@inlined
def summed(X):
    """Tell whether products of X are summed as integers."""
    return X[3] >= MARK * PANELS


@inlined
def groups(op, X, most):
    """How many groups of features are summed apart, at most so many."""
    return min(most, int8_narrow_gemm.tiles(op.n_in, op.n_out)) if X[3] >= MARK * ROWS else most


def _floats(table, ops, theta, state, work, ld, blocks, X, rows, group, count, o, n, c):
    """Add to work (n, ld) at c what one of `count` groups of features gives outputs o … o+n−1."""
    op = ops[1]
    tiles = strided_gemm.tiles(op.n_in, op.n_out)
    for tile in range(tiles * group // count, tiles * (group + 1) // count):
        k, w = strided_gemm.span(op.n_in, op.n_out, tile)
        W = op.W + o * op.n_in + k
        strided_gemm.forward(table, ops[0], n, w, X, rows, k, state, theta, W, op.n_in, work, c, ld)


def _panels(table, ops, theta, state, work, ld, blocks, X, rows, group, count, o, n, c):
    """The same; tiles are short ones, however few outputs there are."""
    op, (scale, offset) = ops[1], strided_gemm.line(ops[0], state)
    tiles = strided_gemm.tiles(op.n_in, strided_gemm.NUMBERS)
    for tile in range(tiles * group // count, tiles * (group + 1) // count):
        k, w = strided_gemm.span(op.n_in, strided_gemm.NUMBERS, tile)
        int8_gemm.forward(
            table, n, w, X, rows, k, scale, offset, theta, op.W + o * op.n_in + k, op.n_in, work,
            c, ld, work, blocks,
        )  # fmt: skip


def _rows(table, ops, theta, state, work, ld, blocks, X, rows, group, count, o, n, c):
    """The same."""
    op, (scale, offset) = ops[1], strided_gemm.line(ops[0], state)
    tiles = int8_narrow_gemm.tiles(op.n_in, op.n_out)
    for tile in range(tiles * group // count, tiles * (group + 1) // count):
        k, w = int8_narrow_gemm.span(op.n_in, tiles, tile)
        int8_narrow_gemm.forward(
            table, n, w, X, rows, k, scale, offset, theta, op.W + o * op.n_in + k, op.n_in, work,
            c, ld, work, blocks,
        )  # fmt: skip


def _floats_back(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """dW (n_out, n_in) from dZ (n_out, ld) at D and X[rows]: a member's tiles."""
    op = ops[1]
    first, last = static_partition(strided_gemm.tiles(op.n_in, op.n_out), me, team)
    for tile in range(last - 1, first - 1, -1):  # what was read last is still in the cache
        k, w = strided_gemm.span(op.n_in, op.n_out, tile)
        strided_gemm.backward(
            table, ops[0], op.n_out, w, X, rows, k, state, work, D, ld, grad, op.W + k, op.n_in
        )


@inlined
def _portion(n, me, team):
    """First and last of a member's features, whole vectors of bytes, or none at all."""
    first, last = static_partition((n + VECTOR_BYTES - 1) // VECTOR_BYTES, me, team)
    return first * VECTOR_BYTES, min(last * VECTOR_BYTES, n)


def _panels_back(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """The same: a member's features."""
    op, (scale, offset) = ops[1], strided_gemm.line(ops[0], state)
    k, end = _portion(op.n_in, me, team)
    if k < end:
        int8_gemm.backward(
            table, op.n_out, end - k, X, rows, k, scale, offset, work, D, ld, grad, op.W + k,
            op.n_in, work, blocks,
        )  # fmt: skip


def _one_back(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """The same."""
    op, (scale, offset) = ops[1], strided_gemm.line(ops[0], state)
    k, end = _portion(op.n_in, me, team)
    if k < end:
        int8_narrow_gemm.backward(
            table, end - k, X, rows, k, scale, offset, work, D, grad, op.W + k, work, blocks
        )


_forward = indirect_each(
    "T O F1 F1 F1 i i X I1 i i i i i",
    {strided_gemm.FLOATS: _floats, int8_gemm.PANELS: _panels, int8_narrow_gemm.NAME: _rows},
)
_backward = indirect_each(
    "T O F1 F1 F1 i i i X I1 i i",
    {
        in_training(strided_gemm.FLOATS): _floats_back,
        in_training(int8_gemm.NAME): _panels_back,
        in_training(int8_narrow_gemm.ONE): _one_back,
    },
)


@inlined
def forward(table, ops, theta, state, work, ld, blocks, X, rows, group, count, o, n, c):
    """Add to work (n, ld) at c what one of `count` groups of features gives outputs o … o+n−1."""
    way = min(X[3] // MARK, ROWS)
    _forward(table, way - 1, ops, theta, state, work, ld, blocks, X, rows, group, count, o, n, c)


@inlined
def backward(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """dW (n_out, n_in) from dZ (n_out, ld) at D and X[rows] where it lies: a member's part."""
    way = X[3] // MARK // 2  # one for PANELS and ROWS
    _backward(table, way, ops, grad, state, work, ld, D, blocks, X, rows, me, team)
