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
#: Columns of C in a tile. A row of a packed panel has one 32-bit integer (four bytes) a column.
INT8_NR = block_sizes().INT8_NR
INT8_MR = block_sizes().INT8_MR  # rows of C in a tile
#: The types, in LLVM, of a vector of 16 32-bit integers and of a vector of 64 bytes.
WORD_VECTOR, BYTE_VECTOR = (
    ir.VectorType(INT32, WORD_LANES),
    ir.VectorType(ir.IntType(8), VECTOR_BYTES),
)


def splat_word(value):
    """Return an LLVM constant: a vector of 16 32-bit integers, each equal to `value`, an int."""
    return ir.Constant(WORD_VECTOR, [value] * WORD_LANES)


def shuffle_lanes(builder, x, y, order):
    """Emit an LLVM vector whose lane i is lane order[i] of x followed by y.

    x, y: LLVM vectors of one type; order: a list of ints, one for each lane of the result.
    """
    order = ir.Constant(ir.VectorType(INT32, len(order)), order)
    return builder.shuffle_vector(x, y, order)


def remaining_bits(builder, n, k):
    """Emit an LLVM int64 whose lowest min(n − k, 64) bits are 1; n > k are LLVM int64.

    Bit i tells whether byte k + i lies before byte n. `mask_from_bits` makes a mask of 64 lanes of
    these bits by one instruction; comparing each lane's index with n − k would take seven.
    """
    rest, all_lanes = builder.sub(n, k), INT64(VECTOR_BYTES)
    bits = builder.lshr(INT64(-1), builder.sub(all_lanes, rest))
    return builder.select(builder.icmp_signed("<", rest, all_lanes), bits, INT64(-1))


def mask_from_bits(builder, bits, width):
    """Emit a mask, an LLVM vector of `width` single bits: lane i is bit i of `bits`.

    bits: an LLVM int64; width: an int up to 64.
    """
    lowest = builder.trunc(bits, ir.IntType(width)) if width < VECTOR_BYTES else bits
    return builder.bitcast(lowest, ir.VectorType(ir.IntType(1), width))


@inlined
def round_up(m, step):
    """Return the smallest multiple of step that is at least m; m ≥ 0 and step > 0: int64."""
    return (m + step - 1) // step * step


@inlined
def even_chunk(m, most, step):
    """Return the length, in items, of the chunks that m ≥ 1 items are cut into; all int64.

    It is a multiple of step and at most `most`, which is at least step. The chunks are as few as
    `most` allows; all have this length but the last one, which may be shorter.
    """
    pieces = (m + most // step * step - 1) // (most // step * step)
    return round_up((m + pieces - 1) // pieces, step)
