"""Gathers rows of the user's array, of any dtype, into blocks of the network's numbers, scaled."""

from __future__ import annotations

import numpy as np

from ...opcodes import READ, WIDE
from ..codegen.cpu import CACHE_LINE
from ..codegen.pointers import load, prefetch, view_row
from ..compiler.dispatch_table import indirect_each
from ..compiler.jit import inlined, kernel
from . import csr_gemm
from .input_access import each_csr_dtype, scaling_of_features

#: Rows by which a prefetch is ahead of the row that is read. To read and transpose 128 shuffled
#: rows of 60,000 images took 32 µs without, 19 with it.
GATHER_PREFETCH_ROWS = 8


@inlined
def _gather_row(dtype, wide, address, start, stride, scaling, line):
    """Write line (w,) from w numbers of X, scaled as the type `wide`.

    They begin `start` numbers behind the address. A stride known to be 1 lets LLVM read vectors.
    The scaling is that of the line's own features: indices first + k, which may be negative for all
    that LLVM knows, would keep the loop from being vectorised (0.9 ns a number for 0.1).
    """
    number = line.dtype.type
    shift, factor, rest, offset = scaling
    if shift.size == 0:
        for k in range(line.size):
            line[k] = number(wide(load(address, start + k * stride, dtype)))
    elif shift.size > 1:
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype))
            value = value - wide(shift[k]) - wide(rest[k])
            line[k] = number(value * wide(factor[k]) + offset)
    else:
        first, second, third = wide(shift[0]), wide(rest[0]), wide(factor[0])
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype)) - first - second
            line[k] = number(value * third + offset)


@inlined
def _prefetch_row(address, start, n, size):
    """Prefetch n numbers of `size` bytes from the start-th on."""
    for byte in range(0, n * size, CACHE_LINE):
        prefetch(address + start * size + byte)


@inlined
def _gather(dtype, size, wide, X, rows, first, scaling, block):
    """block (n, w) = X[rows, first : first + w], scaled as the type `wide`.

    That is float64 where float32 does not hold all numbers of X: a large mean would cancel. X has a
    scalar type `dtype` of `size` bytes.
    """
    w = block.shape[1]
    own = scaling_of_features(scaling, wide, first, w)
    for j in range(rows.size):
        start, line = rows[j] * X.row_stride + first * X.column_stride, view_row(block, j, 0, w)
        if X.column_stride == 1 and j + GATHER_PREFETCH_ROWS < rows.size:
            ahead = rows[j + GATHER_PREFETCH_ROWS] * X.row_stride + first
            _prefetch_row(X.address, ahead, w, size)
        if X.column_stride == 1:
            _gather_row(dtype, wide, X.address, start, 1, own, line)
        else:
            _gather_row(dtype, wide, X.address, start, X.column_stride, own, line)


def _gather_kernel(dtype):
    """Return the kernel for X of a dtype.

    Closures over plain types are found in the disk cache again; those over intrinsics were not.
    """
    number, size = dtype.type, dtype.itemsize

    def gather(X, rows, first, scaling, block):
        """block (n, w) = X[rows, first : first + w], scaled in the network's dtype."""
        _gather(number, size, block.dtype.type, X, rows, first, scaling, block)

    def gather_wide(X, rows, first, scaling, block):
        """block (n, w) = X[rows, first : first + w], scaled in float64."""
        _gather(number, size, np.float64, X, rows, first, scaling, block)

    return gather_wide if dtype in WIDE else gather


#: By `Input.dtype_code`: the dtypes of arrays, then those of CSR rows.
_gathers = indirect_each(
    "X I1 i InputScaling F2",
    {dtype.name: _gather_kernel(dtype) for dtype in READ} | each_csr_dtype(csr_gemm.gather_kernel),
)


@inlined
def gather(table, X, rows, first, scaling, block):
    """block (n, w) = X[rows, first : first + w], scaled by an InputScaling."""
    _gathers(table, X.dtype_code, X, rows, first, scaling, block)


@kernel
def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   X, A (m, n); shift, factor (n,) or (1,)."""
    offset = A.dtype.type(offset)
    for i in range(A.shape[0]):
        x, a = view_row(X, i, 0, A.shape[1]), view_row(A, i, 0, A.shape[1])
        if shift.size > 1:
            for k in range(a.size):
                a[k] = (x[k] - shift[k]) * factor[k] + offset
        else:
            for k in range(a.size):
                a[k] = (x[k] - shift[0]) * factor[0] + offset
