"""Copies of blocks of the user's array X: block (n, w) = X[rows, first : first + w], scaled.

`rows` (n,) are indices of examples. The block has the network's dtype, X any dtype.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import READ, WIDE
from ...partition import CACHE_LINE
from ..codegen.pointers import load, prefetch, view_row
from ..compiler.definitions import entry, indirect_each
from ..compiler.jit import inlined
from . import csr_gemm
from .input_access import each_csr_dtype, scaling_of_features

#: Examples between the one that is read and the one that is prefetched. To read and transpose 128
#: shuffled examples of 60,000 images took 32 µs without prefetching, 19 µs with it.
GATHER_PREFETCH_ROWS = 8


@inlined
def _gather_row(dtype, wide, address, start, stride, scaling, line):
    """line[k] = (x[start + k · stride] − shift[k] − rest[k]) factor[k] + offset for k < w.

    line (w,): written. x: the elements, of NumPy scalar type dtype, in memory from `address` on.
    wide: the scalar type in which they are scaled. scaling: an InputScaling whose vectors are (w,),
    (1,) for one scaling of all features, or empty for none. LLVM vectorises the loops because
    shift[k] begins at 0, and where `stride` is the constant 1: 0.1 ns a number instead of 0.9.
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
    """Prefetch n elements, of `size` bytes each, from element `start` on of an array.

    address: the int64 address of the array's element 0.
    """
    for byte in range(0, n * size, CACHE_LINE):
        prefetch(address + start * size + byte)


@inlined
def _gather(dtype, size, wide, X, rows, first, scaling, block):
    """block[j, k] = X[rows[j], first + k], scaled.   rows (n,); block (n, w): written.

    X: an Input of an array; dtype, size: NumPy scalar type of its elements, and their bytes. rows:
    indices of examples; first: a feature; scaling: an InputScaling of all features. wide: the
    scalar type in which elements are scaled: float64 if float32 does not hold every element of X
    exactly, because to subtract a large mean would lose digits.
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
    """Return the kernel that copies and scales blocks of X, for X of a np.dtype `dtype`.

    It is a closure over types, because the disk cache does not find closures over intrinsics again.
    """
    number, size = dtype.type, dtype.itemsize

    def gather(X, rows, first, scaling, block):
        """block[j, k] = X[rows[j], first + k], scaled in the network's dtype.

        X: an Input; rows (n,): indices of examples; first: a feature; scaling: an InputScaling of
        all features; block (n, w): written.
        """
        _gather(number, size, block.dtype.type, X, rows, first, scaling, block)

    def gather_wide(X, rows, first, scaling, block):
        """block[j, k] = X[rows[j], first + k], scaled in float64.

        X: an Input; rows (n,): indices of examples; first: a feature; scaling: an InputScaling of
        all features; block (n, w): written.
        """
        _gather(number, size, np.float64, X, rows, first, scaling, block)

    return gather_wide if dtype in WIDE else gather


#: The kernels that gather blocks, at index `Input.dtype_code`: arrays by dtype, then CSR rows.
_gathers = indirect_each(
    "X I1 i InputScaling F2",
    {dtype.name: _gather_kernel(dtype) for dtype in READ} | each_csr_dtype(csr_gemm.gather_kernel),
)


@inlined
def gather(table, X, rows, first, scaling, block):
    """block[j, k] = X[rows[j], first + k], scaled.   rows (n,); block (n, w): written.

    table: the kernel pointers. X: an Input of an array of any dtype, or of CSR rows. rows: indices
    of examples; first: a feature; scaling: an InputScaling of all features.
    """
    _gathers(table, X.dtype_code, X, rows, first, scaling, block)


@entry("F2 F1 F1 f F2", requires="standardize")
def standardize(X, shift, factor, offset, A):
    """A[i, k] = (X[i, k] − shift[k]) factor[k] + offset.   X, A (m, n); A is written.

    shift, factor: (n,), or (1,) with one number for all features; offset: a number.
    """
    offset = A.dtype.type(offset)
    for i in range(A.shape[0]):
        x, a = view_row(X, i, 0, A.shape[1]), view_row(A, i, 0, A.shape[1])
        if shift.size > 1:
            for k in range(a.size):
                a[k] = (x[k] - shift[k]) * factor[k] + offset
        else:
            for k in range(a.size):
                a[k] = (x[k] - shift[0]) * factor[0] + offset
