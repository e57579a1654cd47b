"""Words of four bytes, 16 in a vector, as vpdpbusd multiplies bytes and adds them up by fours."""

from __future__ import annotations

from llvmlite import ir

from ..compiler.jit import inlined
from .cpu import block_sizes
from .simd import INT32, INT64

WORD_LANES = 16  # words in a vector
VECTOR_BYTES = 4 * WORD_LANES
INT8_NR = block_sizes().INT8_NR  # words in a row of a panel of bytes and of a tile
INT8_MR = block_sizes().INT8_MR  # rows of a tile
WORD_VECTOR, BYTE_VECTOR = (
    ir.VectorType(INT32, WORD_LANES),
    ir.VectorType(ir.IntType(8), VECTOR_BYTES),
)


def splat_word(value):
    """Return a vector (WORD_LANES,) with a constant in every lane."""
    return ir.Constant(WORD_VECTOR, [value] * WORD_LANES)


def shuffle_lanes(builder, x, y, order):
    """Emit elements of x (0 … n − 1) and of y (from n on) in a constant order."""
    order = ir.Constant(ir.VectorType(INT32, len(order)), order)
    return builder.shuffle_vector(x, y, order)


def remaining_bits(builder, n, k):
    """Emit 64 bits of which the lowest min(n − k, 64) are set; n > k.

    A mask of 64 lanes takes one instruction from these, seven from compares.
    """
    rest, all_lanes = builder.sub(n, k), INT64(VECTOR_BYTES)
    bits = builder.lshr(INT64(-1), builder.sub(all_lanes, rest))
    return builder.select(builder.icmp_signed("<", rest, all_lanes), bits, INT64(-1))


def mask_from_bits(builder, bits, width):
    """Emit the mask of `width` lanes from the lowest `width` of 64 bits."""
    lowest = builder.trunc(bits, ir.IntType(width)) if width < VECTOR_BYTES else bits
    return builder.bitcast(lowest, ir.VectorType(ir.IntType(1), width))


@inlined
def round_up(m, step):
    """Return the least multiple of step that is at least m."""
    return (m + step - 1) // step * step


@inlined
def even_chunk(m, most, step):
    """Return the length, a multiple of step, of the fewest equal pieces of m that `most` admits."""
    pieces = (m + most // step * step - 1) // (most // step * step)
    return round_up((m + pieces - 1) // pieces, step)
