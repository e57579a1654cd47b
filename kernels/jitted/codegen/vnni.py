"""Words of four bytes, 16 in a vector: what instructions take that multiply bytes by fours."""

from __future__ import annotations

from llvmlite import ir

from ..compiler.jit import inlined
from .simd import INDEX, INT

LANES = 16  # words in a vector
BYTES = 4 * LANES
PANEL = 2 * LANES  # words side by side in a panel of bytes: as many as a tile takes
TALL = 4  # rows in digits that a tile takes
WORDS, OCTETS = ir.VectorType(INT, LANES), ir.VectorType(ir.IntType(8), BYTES)


def same(value):
    """A vector of one integer."""
    return ir.Constant(WORDS, [value] * LANES)


def shuffled(builder, x, y, places):
    """Elements of x and, behind them, y in a new order."""
    order = ir.Constant(ir.VectorType(INT, len(places)), places)
    return builder.shuffle_vector(x, y, order)


def remaining(builder, n, k):
    """64 bits, set from the lowest on for each of the n − k that are left; n > k.

    A mask made so takes one instruction that compares take seven for.
    """
    rest, most = builder.sub(n, k), INDEX(BYTES)
    bits = builder.lshr(INDEX(-1), builder.sub(most, rest))
    return builder.select(builder.icmp_signed("<", rest, most), bits, INDEX(-1))


def mask(builder, bits, width):
    """A mask of so many lanes from the lowest bits."""
    lowest = builder.trunc(bits, ir.IntType(width)) if width < BYTES else bits
    return builder.bitcast(lowest, ir.VectorType(ir.IntType(1), width))


@inlined
def padded(m, step):
    """M rounded up to whole steps."""
    return (m + step - 1) // step * step


@inlined
def evenly(m, most, step):
    """M cut into as few pieces of at most `most` as can be: how many each has, whole steps."""
    pieces = (m + most // step * step - 1) // (most // step * step)
    return padded((m + pieces - 1) // pieces, step)
