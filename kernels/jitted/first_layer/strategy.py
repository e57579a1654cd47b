"""Ways to multiply rows of X where they lie: as floats, and bytes as integers, in panels or rows.

A call names those of its data, and only their kernels are compiled. The code of X tells which one:
MARK is added to it once for FLOATS, twice for PANELS and so on.
"""

from __future__ import annotations

from ..codegen.partition import static_partition
from ..codegen.pointers import DTYPE_CODES, MARK
from ..codegen.vnni import VECTOR_BYTES
from ..compiler.dispatch_table import indirect_each
from ..compiler.jit import inlined
from ..requirements import in_training
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


def _floats(kernel_ptrs, model, workspace, scratch, X, row_indices, features, o, n, c):
    """Add to the workspace (n, ld) at c what a group of features gives outputs o … o+n−1."""
    (ops, theta, state), op = model, model.ops[1]
    tiles = strided_gemm.tiles(op.n_in, op.n_out)
    group, count = features
    for tile in range(tiles * group // count, tiles * (group + 1) // count):
        k, w = strided_gemm.span(op.n_in, op.n_out, tile)
        W = op.W + o * op.n_in + k
        strided_gemm.forward(
            kernel_ptrs, ops[0], n, w, X, row_indices, k, state, theta, W, op.n_in,
            workspace.buffer, c, workspace.ld,
        )  # fmt: skip


def _panels(kernel_ptrs, model, workspace, scratch, X, row_indices, features, o, n, c):
    """Add the same from bytes in packed panels; tiles are short, however few outputs there are."""
    op, (scale, offset) = model.ops[1], strided_gemm.line(model.ops[0], model.state)
    tiles = strided_gemm.tiles(op.n_in, strided_gemm.NUMBERS)
    group, count = features
    for tile in range(tiles * group // count, tiles * (group + 1) // count):
        k, w = strided_gemm.span(op.n_in, strided_gemm.NUMBERS, tile)
        int8_gemm.forward(
            kernel_ptrs, n, w, X, row_indices, k, scale, offset, model.theta,
            op.W + o * op.n_in + k, op.n_in, workspace.buffer, c, workspace.ld, workspace.buffer,
            scratch,
        )  # fmt: skip


def _rows(kernel_ptrs, model, workspace, scratch, X, row_indices, features, o, n, c):
    """Add the same from rows of bytes where they lie."""
    op, (scale, offset) = model.ops[1], strided_gemm.line(model.ops[0], model.state)
    tiles = int8_narrow_gemm.tiles(op.n_in, op.n_out)
    group, count = features
    for tile in range(tiles * group // count, tiles * (group + 1) // count):
        k, w = int8_narrow_gemm.span(op.n_in, tiles, tile)
        int8_narrow_gemm.forward(
            kernel_ptrs, n, w, X, row_indices, k, scale, offset, model.theta,
            op.W + o * op.n_in + k, op.n_in, workspace.buffer, c, workspace.ld, workspace.buffer,
            scratch,
        )  # fmt: skip


def _floats_back(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """dW (n_out, n_in) from dZ (n_out, ld) at dZ_offset and X[row_indices]: a thread's tiles."""
    op = model.ops[1]
    tiles = strided_gemm.tiles(op.n_in, op.n_out)
    first, last = static_partition(tiles, team.tid, team.n_threads)
    for tile in range(last - 1, first - 1, -1):  # what was read last is still in the cache
        k, w = strided_gemm.span(op.n_in, op.n_out, tile)
        strided_gemm.backward(
            kernel_ptrs, model.ops[0], op.n_out, w, X, row_indices, k, model.state,
            workspace.buffer, dZ_offset, workspace.ld, grad, op.W + k, op.n_in,
        )  # fmt: skip


@inlined
def _own_features(n, team):
    """Return first and last + 1 of a thread's features: whole vectors of bytes, or none at all."""
    vectors = (n + VECTOR_BYTES - 1) // VECTOR_BYTES
    first, last = static_partition(vectors, team.tid, team.n_threads)
    return first * VECTOR_BYTES, min(last * VECTOR_BYTES, n)


def _panels_back(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """dW (n_out, n_in) from dZ and bytes in packed panels: a thread's features."""
    op, (scale, offset) = model.ops[1], strided_gemm.line(model.ops[0], model.state)
    buffer, ld, offsets = workspace
    k, end = _own_features(op.n_in, team)
    if k < end:
        int8_gemm.backward(
            kernel_ptrs, op.n_out, end - k, X, row_indices, k, scale, offset, buffer, dZ_offset,
            ld, grad, op.W + k, op.n_in, buffer,
            offsets.thread_base + team.tid * offsets.thread_size,
        )  # fmt: skip


def _one_back(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """dW (1, n_in) from dZ (1, ld) and rows of bytes where they lie: a thread's features."""
    op, (scale, offset) = model.ops[1], strided_gemm.line(model.ops[0], model.state)
    buffer, _, offsets = workspace
    k, end = _own_features(op.n_in, team)
    if k < end:
        int8_narrow_gemm.backward(
            kernel_ptrs, end - k, X, row_indices, k, scale, offset, buffer, dZ_offset, grad,
            op.W + k, buffer, offsets.thread_base + team.tid * offsets.thread_size,
        )  # fmt: skip


_forward = indirect_each(
    "T Model Workspace i X I1 FeatureGroup i i i",
    {strided_gemm.FLOATS: _floats, int8_gemm.PANELS: _panels, int8_narrow_gemm.NAME: _rows},
)
_backward = indirect_each(
    "T Model F1 Workspace i X I1 Team",
    {
        in_training(strided_gemm.FLOATS): _floats_back,
        in_training(int8_gemm.NAME): _panels_back,
        in_training(int8_narrow_gemm.ONE): _one_back,
    },
)


@inlined
def forward(kernel_ptrs, model, workspace, scratch, X, row_indices, features, o, n, c):
    """Add to the workspace (n, ld) at c what a group of features gives outputs o … o+n−1.

    scratch: where the thread's own memory begins in the workspace.
    """
    way = min(X[3] // MARK, ROWS)
    _forward(kernel_ptrs, way - 1, model, workspace, scratch, X, row_indices, features, o, n, c)


@inlined
def backward(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """dW (n_out, n_in) from dZ (n_out, ld) at dZ_offset and X[row_indices]: a thread's part."""
    way = X[3] // MARK // 2  # one for PANELS and ROWS
    _backward(kernel_ptrs, way, model, grad, workspace, dZ_offset, X, row_indices, team)
