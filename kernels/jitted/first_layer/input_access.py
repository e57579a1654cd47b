"""What kernels read of an `Input` and of its INPUT row: elements of CSR rows, and the scaling."""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import load, view
from ..compiler.jit import inlined
from ..records import InputScaling, Scaling


def each_csr_dtype(kernel_of):
    """Return the kernels of CSR rows by their requirements, in the order of the dtype codes.

    kernel_of(dtype) returns the kernel for values of a scalar type of NumPy.
    """
    return {f"sparse {np.dtype(kind).name}": kernel_of(kind) for kind in (np.float32, np.float64)}


@inlined
def csr_row_bounds(X, i):
    """Return the first element of row i of CSR X, and the first one behind the row."""
    starts = X.row_stride
    return load(starts, i, np.int64), load(starts, i + 1, np.int64)


@inlined
def csr_column(X, p):
    """Return the column of the p-th element of CSR X: unsigned, lest LLVM extends a sign."""
    return load(X.column_stride, p, np.uint32)


@inlined
def csr_value(X, p, dtype):
    """Return the p-th element of CSR X, whose values are of a scalar type."""
    return load(X.address, p, dtype)


@inlined
def csr_find_column(X, i, column):
    """Return the first element of row i whose column is not below `column`, by bisection."""
    low, high = csr_row_bounds(X, i)
    while low < high:
        middle = (low + high) // 2
        if load(X.column_stride, middle, np.int32) < column:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def input_scaling(op, state):
    """Return the InputScaling of an INPUT row."""
    n, first = op.stats, op.state
    return InputScaling(
        view(state, first, n), view(state, first + n, n), view(state, first + 2 * n, n), op.offset
    )


@inlined
def scaling_of_features(scaling, number, first, count):
    """Return the InputScaling of `count` features from `first` on, its offset of a scalar type."""
    start, n = (first, count) if scaling.shift.size > 1 else (0, scaling.shift.size)
    shift, factor = view(scaling.shift, start, n), view(scaling.factor, start, n)
    return InputScaling(shift, factor, view(scaling.rest, start, n), number(scaling.offset))


@inlined
def common_scaling(op, state):
    """Return the Scaling of an INPUT row that scales all features alike."""
    if op.stats == 0:
        return Scaling(1.0, 0.0)
    low = np.float64(state[op.state]) + np.float64(state[op.state + 2])
    factor = np.float64(state[op.state + 1])
    return Scaling(factor, op.offset - low * factor)


@inlined
def tile_range(n_features, n_tiles, tile, multiple):
    """Return (first feature of a tile, features of it): a multiple but for the last tile's end."""
    begin = n_features * tile // n_tiles // multiple * multiple
    end = n_features * (tile + 1) // n_tiles // multiple * multiple
    return begin, n_features - begin if tile + 1 == n_tiles else end - begin
