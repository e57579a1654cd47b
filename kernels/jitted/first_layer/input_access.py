"""Accessors of kernels: the elements of an `Input` of CSR rows, the scaling of an INPUT op row.

A CSR row is an example. "Element p" is the p-th stored element of the whole array: its value is
values[p], its feature columns[p].
"""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import load, view
from ..compiler.jit import inlined
from ..records import InputScaling, Scaling


def each_csr_dtype(kernel_of):
    """Return {requirement: kernel_of(dtype)} for CSR values of np.float32, then of np.float64.

    A requirement is the name by which a program requests a kernel. kernel_of(dtype) returns the
    kernel for values of a NumPy scalar type. The order is that of `Input.dtype_code`.
    """
    return {f"sparse {np.dtype(kind).name}": kernel_of(kind) for kind in (np.float32, np.float64)}


@inlined
def csr_row_bounds(X, i):
    """Return (begin, end), int64: example i has the stored elements begin … end − 1 of X.

    X: an Input of CSR rows.
    """
    starts = X.row_stride
    return load(starts, i, np.int64), load(starts, i + 1, np.int64)


@inlined
def csr_column(X, p):
    """Return the feature of stored element p of X, an Input of CSR rows, as a uint32.

    uint32 lets LLVM widen it to an index without extending a sign.
    """
    return load(X.column_stride, p, np.uint32)


@inlined
def csr_value(X, p, dtype):
    """Return the value of stored element p of X, an Input of CSR rows.

    dtype: the NumPy scalar type of its values.
    """
    return load(X.address, p, dtype)


@inlined
def csr_find_column(X, i, column):
    """Return the index of the first stored element of example i whose feature is ≥ `column`, int64.

    It is the end of the example if all its features are smaller. X: an Input of CSR rows. The
    elements of an example are sorted by feature, and searched by bisection.
    """
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
    """Return the InputScaling of the INPUT op row `op`, whose statistics the vector `state` holds.

    Its vectors (op.stats,) are views of `state`.
    """
    n, first = op.stats, op.state
    return InputScaling(
        view(state, first, n), view(state, first + n, n), view(state, first + 2 * n, n), op.offset
    )


@inlined
def scaling_of_features(scaling, number, first, count):
    """Return the InputScaling of the features first … first + count − 1 alone.

    scaling: the InputScaling of all features; if its vectors have one number for all features, or
    none, they are returned whole. number: the NumPy scalar type to which the offset is converted.
    """
    start, n = (first, count) if scaling.shift.size > 1 else (0, scaling.shift.size)
    shift, factor = view(scaling.shift, start, n), view(scaling.factor, start, n)
    return InputScaling(shift, factor, view(scaling.rest, start, n), number(scaling.offset))


@inlined
def common_scaling(op, state):
    """Return the Scaling (factor, offset) of the INPUT op row `op`: x → factor · x + offset.

    op has one scaling for all features (op.stats = 1) or none (op.stats = 0: factor 1, offset 0).
    state: the flat vector that holds its statistics.
    """
    if op.stats == 0:
        return Scaling(1.0, 0.0)
    low = np.float64(state[op.state]) + np.float64(state[op.state + 2])
    factor = np.float64(state[op.state + 1])
    return Scaling(factor, op.offset - low * factor)


@inlined
def tile_range(n_features, n_tiles, tile, multiple):
    """Return (first feature, number of features) of one of n_tiles nearly equal tiles.

    They divide n_features features. tile: the index of the tile, from 0 on. Every tile begins at a
    multiple of `multiple` features; the last ends at n_features.
    """
    begin = n_features * tile // n_tiles // multiple * multiple
    end = n_features * (tile + 1) // n_tiles // multiple * multiple
    return begin, n_features - begin if tile + 1 == n_tiles else end - begin
