"""Rows of the user's array, whatever dtype they are of, scaled into blocks of numbers."""

from __future__ import annotations

import numpy as np

from ..opcodes import READ, WIDE
from ._jit import inlined
from ._link import linked_each
from .memory import load, row


@inlined
def _line(dtype, wide, address, start, stride, q, scaling, each, shift, factor, rest, offset, line):
    """One row of `_gather`; a stride known to be 1 lets LLVM read vectors."""
    number = line.dtype.type
    if scaling == 0:
        for k in range(line.size):
            line[k] = number(wide(load(address, start + k * stride, dtype)))
    elif each:
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype))
            value = value - wide(shift[q + k]) - wide(rest[q + k])
            line[k] = number(value * wide(factor[q + k]) + offset)
    else:
        low, lost, scale = wide(shift[0]), wide(rest[0]), wide(factor[0])
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype)) - low - lost
            line[k] = number(value * scale + offset)


@inlined
def _gather(dtype, wide, X, rows, k0, scaling, shift, factor, rest, offset, block):
    """block (n, w) = X[rows, k0 : k0+w], scaled.

    Numbers are scaled as `wide`: in float64 where float32 does not hold them all, lest a large
    mean cancels.
    """
    address, step, stride, _ = X
    offset, each = wide(offset), shift.size > 1
    for j in range(rows.size):
        start = rows[j] * step + k0 * stride
        line = row(block, j, 0, block.shape[1])
        if stride == 1:
            _line(
                dtype, wide, address, start, 1, k0, scaling, each, shift, factor, rest, offset, line
            )
        else:
            _line(
                dtype, wide, address, start, stride, k0, scaling, each, shift, factor, rest,
                offset, line,
            )  # fmt: skip


def _gather_of(dtype):
    """Return the kernel for X of a dtype.

    Closures of plain types are found in the cache again; those of intrinsics were not.
    """
    number = dtype.type

    def gather(X, rows, k0, stats, shift, factor, rest, offset, block):
        """block (n, w) = (X[rows, k0 : k0+w] − shift − rest) factor + offset; stats 0: as it is."""
        _gather(number, block.dtype.type, X, rows, k0, stats, shift, factor, rest, offset, block)

    def gather_wide(X, rows, k0, stats, shift, factor, rest, offset, block):
        """The same, scaled in float64."""
        _gather(number, np.float64, X, rows, k0, stats, shift, factor, rest, offset, block)

    return gather_wide if dtype in WIDE else gather


_gathers = linked_each("X I1 i i F1 F1 F1 f F2", {dtype.name: _gather_of(dtype) for dtype in READ})


@inlined
def gather(table, X, rows, k0, stats, shift, factor, rest, offset, block):
    """block (n, w) = (X[rows, k0 : k0+w] − shift − rest) factor + offset; stats 0: as it is."""
    _gathers(table, X[3], X, rows, k0, stats, shift, factor, rest, offset, block)
