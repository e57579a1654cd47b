"""Words of four bytes, 16 in a vector: what instructions take that multiply bytes by fours."""

from __future__ import annotations

from llvmlite import ir

from ..compiler.jit import inlined
from .cpu import block_sizes
from .simd import INT32, INT64

WORD_LANES = 16  # words in a vector
VECTOR_BYTES = 4 * WORD_LANES
INT8_NR = block_sizes().INT8_NR  # words side by side in a panel of bytes and in a tile
INT8_MR = block_sizes().INT8_MR  # rows in digits that a tile takes
WORD_VECTOR, BYTE_VECTOR = (
    ir.VectorType(INT32, WORD_LANES),
    ir.VectorType(ir.IntType(8), VECTOR_BYTES),
)


def splat_word(value):
    """A vector of one integer."""
    return ir.Constant(WORD_VECTOR, [value] * WORD_LANES)


def shuffle(builder, x, y, places):
    """Elements of x and, behind them, y in a new order."""
    order = ir.Constant(ir.VectorType(INT32, len(places)), places)
    return builder.shuffle_vector(x, y, order)


def remaining_bits(builder, n, k):
    """64 bits, set from the lowest on for each of the n − k that are left; n > k.

    A mask made so takes one instruction that compares take seven for.
    """
    rest, most = builder.sub(n, k), INT64(VECTOR_BYTES)
    bits = builder.lshr(INT64(-1), builder.sub(most, rest))
    return builder.select(builder.icmp_signed("<", rest, most), bits, INT64(-1))


def mask_from_bits(builder, bits, width):
    """A mask of so many lanes from the lowest bits."""
    lowest = builder.trunc(bits, ir.IntType(width)) if width < VECTOR_BYTES else bits
    return builder.bitcast(lowest, ir.VectorType(ir.IntType(1), width))


@inlined
def round_up(m, step):
    """M rounded up to whole steps."""
    return (m + step - 1) // step * step


@inlined
def even_chunk(m, most, step):
    """M cut into as few pieces of at most `most` as can be: how many each has, whole steps."""
    pieces = (m + most // step * step - 1) // (most // step * step)
    return round_up((m + pieces - 1) // pieces, step)
