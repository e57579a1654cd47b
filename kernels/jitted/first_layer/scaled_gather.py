"""Rows of the user's array, whatever dtype they are of, scaled into blocks of numbers."""

from __future__ import annotations

import numpy as np

from ...opcodes import READ, WIDE
from ..codegen.cpu import CACHE_LINE
from ..codegen.pointers import each_csr_dtype, load, prefetch, view, view_row
from ..compiler.dispatch_table import indirect_each
from ..compiler.jit import inlined, kernel
from . import csr_gemm

#: Rows that are asked for before they are read: 128 of 60,000 images, shuffled, took 32 µs to read
#: and to turn, 19 so.
AHEAD = 8


@inlined
def _line(dtype, wide, address, start, stride, stats, low, scale, lost, offset, line):
    """One row of `_gather`; a stride known to be 1 lets LLVM read vectors.

    Shift and all lie as `line` does: indices k0 + k, which may be negative for all that LLVM knows,
    would keep the loop from vectorising (0.9 ns a number for 0.1).
    """
    number = line.dtype.type
    if stats == 0:
        for k in range(line.size):
            line[k] = number(wide(load(address, start + k * stride, dtype)))
    elif stats > 1:
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype))
            value = value - wide(low[k]) - wide(lost[k])
            line[k] = number(value * wide(scale[k]) + offset)
    else:
        first, second, third = wide(low[0]), wide(lost[0]), wide(scale[0])
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype)) - first - second
            line[k] = number(value * third + offset)


@inlined
def _ask(address, start, n, size):
    """Ask for n numbers of that size from the start-th on."""
    for byte in range(0, n * size, CACHE_LINE):
        prefetch(address + start * size + byte)


@inlined
def _gather(dtype, size, wide, X, rows, k0, stats, shift, factor, rest, offset, block):
    """block (n, w) = X[rows, k0 : k0+w], scaled.

    Numbers are scaled as `wide`: in float64 where float32 does not hold them all, lest a large
    mean cancels.
    """
    address, step, stride, _ = X
    offset, w = wide(offset), block.shape[1]
    first, n = (k0, w) if stats > 1 else (0, stats)
    low, scale, lost = view(shift, first, n), view(factor, first, n), view(rest, first, n)
    for j in range(rows.size):
        start, line = rows[j] * step + k0 * stride, view_row(block, j, 0, w)
        if stride == 1 and j + AHEAD < rows.size:
            _ask(address, rows[j + AHEAD] * step + k0, w, size)
        if stride == 1:
            _line(dtype, wide, address, start, 1, stats, low, scale, lost, offset, line)
        else:
            _line(dtype, wide, address, start, stride, stats, low, scale, lost, offset, line)


def _gather_of(dtype):
    """Return the kernel for X of a dtype.

    Closures of plain types are found in the cache again; those of intrinsics were not.
    """
    number, size = dtype.type, dtype.itemsize

    def gather(X, rows, k0, stats, shift, factor, rest, offset, block):
        """block (n, w) = (X[rows, k0 : k0+w] − shift − rest) factor + offset; stats 0: as it is."""
        _gather(
            number, size, block.dtype.type, X, rows, k0, stats, shift, factor, rest, offset, block
        )

    def gather_wide(X, rows, k0, stats, shift, factor, rest, offset, block):
        """The same, scaled in float64."""
        _gather(number, size, np.float64, X, rows, k0, stats, shift, factor, rest, offset, block)

    return gather_wide if dtype in WIDE else gather


#: By the code of X: the dtypes of arrays, then those of sparse rows.
_gathers = indirect_each(
    "X I1 i i F1 F1 F1 f F2",
    {dtype.name: _gather_of(dtype) for dtype in READ} | each_csr_dtype(csr_gemm.gather_of),
)


@inlined
def gather(table, X, rows, k0, stats, shift, factor, rest, offset, block):
    """block (n, w) = (X[rows, k0 : k0+w] − shift − rest) factor + offset; stats 0: as it is."""
    _gathers(table, X[3], X, rows, k0, stats, shift, factor, rest, offset, block)


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
