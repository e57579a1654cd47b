"""Vectors of 16 32-bit integers, which hold four bytes each, for the instruction vpdpbusd.

vpdpbusd multiplies 64 uint8 with 64 int8 and adds four of the products to each of 16 int32. In
names of this package a word is a 32-bit integer.
"""

from __future__ import annotations

from llvmlite import ir

from ..compiler.jit import inlined
from .cpu import block_sizes
from .simd import INT32, INT64

WORD_LANES = 16  # 32-bit integers in a vector
VECTOR_BYTES = 4 * WORD_LANES  # bytes in a vector
#: Columns of C in a tile. A row of a packed panel has one 32-bit integer, four bytes, for each.
INT8_NR = block_sizes().INT8_NR
INT8_MR = block_sizes().INT8_MR  # rows of C in a tile
#: The types, in LLVM, of a vector of 16 32-bit integers and of a vector of 64 bytes.
WORD_VECTOR, BYTE_VECTOR = (
    ir.VectorType(INT32, WORD_LANES),
    ir.VectorType(ir.IntType(8), VECTOR_BYTES),
)


def splat_word(value):
    """Return an LLVM constant: a vector of 16 32-bit integers, each of them value (an int)."""
    return ir.Constant(WORD_VECTOR, [value] * WORD_LANES)


def shuffle_lanes(builder, x, y, order):
    """Emit a vector whose lane i is element order[i] of x followed by y; order: a list of int."""
    order = ir.Constant(ir.VectorType(INT32, len(order)), order)
    return builder.shuffle_vector(x, y, order)


def remaining_bits(builder, n, k):
    """Emit an int64 whose lowest min(n − k, 64) bits are set; n > k are LLVM values, int64.

    They are the lanes of a vector of bytes at k that lie below n. Making a mask of 64 lanes takes
    one instruction from these bits, seven by comparing numbers of lanes with n − k.
    """
    rest, all_lanes = builder.sub(n, k), INT64(VECTOR_BYTES)
    bits = builder.lshr(INT64(-1), builder.sub(all_lanes, rest))
    return builder.select(builder.icmp_signed("<", rest, all_lanes), bits, INT64(-1))


def mask_from_bits(builder, bits, width):
    """Emit a mask, a vector of `width` single bits, of the lowest `width` ≤ 64 bits of an int64."""
    lowest = builder.trunc(bits, ir.IntType(width)) if width < VECTOR_BYTES else bits
    return builder.bitcast(lowest, ir.VectorType(ir.IntType(1), width))


@inlined
def round_up(m, step):
    """Return the smallest multiple of step that is at least m; m and step are integers."""
    return (m + step - 1) // step * step


@inlined
def even_chunk(m, most, step):
    """Return the length of the chunks that m ≥ 1 items are cut into: a multiple of step.

    It is at most `most` ≥ step; there are as few chunks as that allows, of nearly equal length, and
    the last one may be shorter.
    """
    pieces = (m + most // step * step - 1) // (most // step * step)
    return round_up((m + pieces - 1) // pieces, step)
