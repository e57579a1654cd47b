"""Numbers rounded to bfloat16: rounded in float32 lanes, packed by pairs, multiplied pair by pair.

A bfloat16 is the upper half of a float32: its sign, exponent and first seven bits of the fraction.
A *pair* is a word that holds two of them, the first in its lower half; vectors of pairs stand in
vectors of float32, whose lanes are as many bits. All that differs between CPUs is here: those with
AVX512-BF16 round and multiply by its instructions, where numbers below the normal range count as 0;
others use integer arithmetic, and two multiply-adds for each pair, which is exact but for the sums.
"""

from __future__ import annotations

from llvmlite import ir

from ..loader.source import detect_cpu
from .cpu import block_sizes
from .simd import INT32

_sizes = block_sizes()
#: Size of a tile of C: rows, vectors of a row. The multiply-adds of pairs keep halves in registers.
PAIR_MR, PAIR_NR_VECTORS = _sizes.PAIR_TILE if detect_cpu().dots_bf16 else _sizes.HALVES_TILE


class _BFloat(ir.Type):
    """LLVM's type bfloat, for which llvmlite has no class."""

    def _to_string(self):
        return "bfloat"

    def __eq__(self, other):
        return isinstance(other, _BFloat)

    def __hash__(self):
        return hash(_BFloat)


def _constants(v, value):
    """Return an LLVM constant: an int32 vector with `value`, an int, in each lane of a Vectors."""
    return ir.Constant(ir.VectorType(INT32, v.lanes), [value] * v.lanes)


def _as_integers(v, x):
    """Emit the bits of x, an LLVM vector of float32, as a vector of int32."""
    return v.builder.bitcast(x, ir.VectorType(INT32, v.lanes))


def _rounded_bits(v, x):
    """Emit int32 whose upper halves are the float32 lanes of x rounded to bfloat16, nearest even.

    The lower halves are meaningless. What lies beyond the range becomes infinite, NaN stays NaN.
    """
    builder, bits = v.builder, _as_integers(v, x)
    odd = builder.and_(builder.lshr(bits, _constants(v, 16)), _constants(v, 1))
    rounded = builder.add(bits, builder.add(odd, _constants(v, 0x7FFF)))
    is_nan = builder.fcmp_unordered("uno", x, x)
    return builder.select(is_nan, builder.or_(bits, _constants(v, 0x00400000)), rounded)


def _upper_halves(v, bits):
    """Emit the numbers, a vector of float32, whose bits are the upper halves of int32 `bits`."""
    return v.builder.bitcast(v.builder.and_(bits, _constants(v, -0x10000)), v.type)


def rounded_lanes(v, x):
    """Emit x, an LLVM vector of float32, rounded to bfloat16, again as float32.

    v: a Vectors of float32, here and in the other functions of this module.
    """
    return _upper_halves(v, _rounded_bits(v, x))


def _rounded_by_instruction(v, low, high):
    """Emit the bfloat16 of the 2 · lanes numbers of low and then high, in vectors, as float32."""
    kind = ir.VectorType(_BFloat(), 2 * v.lanes)
    return v.call("llvm.x86.avx512bf16.cvtne2ps2bf16.512", kind, [high, low])


def pairs_of(v, first, second):
    """Emit a vector of pairs: pair i is (first[i], second[i]), rounded; two vectors of float32."""
    builder = v.builder
    if detect_cpu().dots_bf16:
        halves = ir.VectorType(ir.IntType(16), 2 * v.lanes)
        both = builder.bitcast(_rounded_by_instruction(v, first, second), halves)
        order = [i // 2 + v.lanes * (i % 2) for i in range(2 * v.lanes)]
        return builder.bitcast(v.shuffle(both, both, order), v.type)
    lower = builder.lshr(_rounded_bits(v, first), _constants(v, 16))
    upper = builder.and_(_rounded_bits(v, second), _constants(v, -0x10000))
    return builder.bitcast(builder.or_(lower, upper), v.type)


def pairs_along(v, low, high):
    """Emit a vector of pairs of neighbours: the numbers of low, then those of high, by twos."""
    if detect_cpu().dots_bf16:
        return v.builder.bitcast(_rounded_by_instruction(v, low, high), v.type)
    even, odd = ([2 * i + side for i in range(v.lanes)] for side in (0, 1))
    return pairs_of(v, v.shuffle(low, high, even), v.shuffle(low, high, odd))


def add_products_of_pairs(v, x, y, sums):
    """Emit sums + x[i] y[i] for both numbers of the pairs in each lane; vectors of pairs x, y."""
    builder = v.builder
    if detect_cpu().dots_bf16:
        kind = ir.VectorType(_BFloat(), 2 * v.lanes)
        factors = [builder.bitcast(z, kind) for z in (x, y)]
        return v.call("llvm.x86.avx512bf16.dpbf16ps.512", v.type, [sums, *factors])
    bits = [_as_integers(v, z) for z in (x, y)]
    lower = [builder.bitcast(builder.shl(z, _constants(v, 16)), v.type) for z in bits]
    upper = [_upper_halves(v, z) for z in bits]
    return v.multiply_add(*upper, v.multiply_add(*lower, sums))
