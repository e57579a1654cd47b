"""Quantisation of rows of float32: block fixed point of 24 bits, split into three signed bytes.

A row is rounded once, to whole multiples of a power of two, its scale, in which its largest number
takes 23 bits. Each integer is three signed limbs of 8 bits, x = l₀ + 256 l₁ + 65536 l₂. The q-th
limbs of four numbers make a word, which VNNI multiplies with four bytes of X.
"""

from __future__ import annotations

from llvmlite import ir
from numba.extending import intrinsic

from ..codegen.pointers import address_of
from ..codegen.simd import INT32, Vectors, element_pointer, index, index_constant, void
from ..codegen.vnni import (
    BYTE_VECTOR,
    VECTOR_BYTES,
    WORD_LANES,
    WORD_VECTOR,
    mask_from_bits,
    remaining_bits,
    shuffle_lanes,
    splat_word,
)
from ..compiler.jit import inlined

LIMB_BASE = 256.0  # what a limb counts more than the one below it
N_LIMBS = 3  # limbs of an integer
LIMBS_MAX = 0x7F7F7F  # largest integer that N_LIMBS signed limbs hold
#: Added to an integer, and taken off its bytes by XOR, it turns them into signed limbs.
LIMB_CARRY = 0x808080


def _quantizer(arrange):
    """Return the intrinsic that quantises a row.

    arrange(builder, four) orders the words of 64 numbers, of which each vector holds 16.
    """

    @intrinsic
    def quantize_one(typingctx, Y, y, n, limbs, offset, scale_place):
        """Write limbs of Y[y : y+n] as words from limbs[offset] on, their scale at `scale_place`.

        The scale is a power of two: the largest number takes 23 bits, or 22 where three limbs would
        not hold it. Every number is rounded by at most 1.01 · 2⁻²³ of the largest, unless that is
        below 1e-31. The scale is NaN where a number is not finite.
        """
        signature = void(Y, index, index, limbs, index, index)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, limbs.dtype)
            y = element_pointer(context, builder, Y, args[0], args[1])
            out, s = (
                element_pointer(context, builder, limbs, args[3], place) for place in args[4:]
            )
            scale, inverse = _scale(builder, v, _largest_bits(builder, v, y, args[2]))
            builder.store(scale, s)
            inverse = v.splat(inverse)
            k, _, end = v.loop(args[2], VECTOR_BYTES, [])
            four = [_limbs(builder, v, x, inverse) for x in _load_four(builder, v, y, args[2], k)]
            lines = arrange(builder, four)
            first = builder.mul(
                builder.udiv(k, index_constant(VECTOR_BYTES)),
                index_constant(len(lines) * WORD_LANES),
            )
            for i, line in enumerate(lines):
                place = builder.add(first, index_constant(i * WORD_LANES))
                v.store(builder.bitcast(line, v.type), out, place)
            end([])
            return context.get_dummy_value()

        return signature, codegen

    return quantize_one


def _load_four(builder, v, y, n, k):
    """Yield four vectors of y[k : n], zero beyond n."""
    bits = remaining_bits(builder, n, k)
    for j in range(4):
        at = builder.add(k, index_constant(j * WORD_LANES))
        wanted = mask_from_bits(
            builder, builder.lshr(bits, index_constant(j * WORD_LANES)), WORD_LANES
        )
        yield v.load_masked(y, at, wanted)


def _largest_bits(builder, v, y, n):
    """The bits of max |y[: n]|; those of NaN are larger than any number's."""
    k, best, end = v.loop(n, VECTOR_BYTES, [splat_word(0)] * 4)
    found = []
    for x, most in zip(_load_four(builder, v, y, n, k), best, strict=True):
        bits = builder.and_(builder.bitcast(x, WORD_VECTOR), splat_word(0x7FFFFFFF))
        found.append(builder.select(builder.icmp_signed(">", bits, most), bits, most))
    end(found)
    while len(found) > 1:
        x, y = found.pop(), found.pop()
        found.append(builder.select(builder.icmp_signed(">", x, y), x, y))
    return v.call(f"llvm.vector.reduce.smax.v{WORD_LANES}i32", INT32, found)


def _scale(builder, v, bits):
    """(scale, 1 / scale), both powers of two, from the bits of the largest number of a row.

    The exponent is one higher where three limbs would not hold that number in 23 bits. Neither of
    the two is subnormal.
    """
    exponent = builder.lshr(builder.add(bits, INT32(0xFFFFFF - 2 * LIMBS_MAX)), INT32(23))
    up = builder.sub(INT32(2 * 127 + 22), exponent)
    up = builder.select(builder.icmp_signed("<", up, INT32(253)), up, INT32(253))
    down = builder.shl(builder.sub(INT32(254), up), INT32(23))
    finite = builder.icmp_signed("<", bits, INT32(0x7F800000))
    down = builder.select(finite, down, INT32(0x7FC00000))
    return tuple(builder.bitcast(x, v.scalar) for x in (down, builder.shl(up, INT32(23))))


def _limbs(builder, v, x, inverse):
    """16 numbers as 16 words: for each four numbers those of limbs 0, 1 and 2, and one of zeros."""
    to_nearest = INT32(4)
    values = [builder.fmul(x, inverse), splat_word(0), ir.IntType(16)(-1), to_nearest]
    steps = v.call("llvm.x86.avx512.mask.cvtps2dq.512", WORD_VECTOR, values)
    carry = splat_word(LIMB_CARRY)
    octets = builder.bitcast(builder.xor(builder.add(steps, carry), carry), BYTE_VECTOR)
    places = [
        lane + 4 * i + limb
        for lane in range(0, VECTOR_BYTES, WORD_LANES)
        for limb in range(4)
        for i in range(4)
    ]
    return builder.bitcast(shuffle_lanes(builder, octets, octets, places), WORD_VECTOR)


def emit_limbs_value(builder, v, sums):
    """The float32 numbers that three vectors of sums of limbs stand for, in units of the scale."""
    first, second, third = (builder.sitofp(x, v.type) for x in sums)
    base = v.splat(v.scalar(LIMB_BASE))
    return v.multiply_add(v.multiply_add(third, base, second), base, first)


def _by_number(_builder, four):
    """Four words for each four numbers side by side: their limbs 0, 1 and 2, and zeros."""
    return four


def _by_limb(builder, four):
    """Three vectors for each 64 numbers: all their limbs 0, all limbs 1, all limbs 2."""
    halves = [[*range(i, i + 8), *range(WORD_LANES + i, WORD_LANES + i + 8)] for i in (0, 8)]
    lines = []
    for limbs in ((0, 1), (2, 2)):
        places = [i + q for q in limbs for i in range(0, 2 * WORD_LANES, 4)]
        x = shuffle_lanes(builder, four[0], four[1], places)
        y = shuffle_lanes(builder, four[2], four[3], places)
        lines += [shuffle_lanes(builder, x, y, half) for half in halves]
    return lines[:N_LIMBS]


@inlined
def align_cache_line(work, p):
    """The first place from p on in `work`, of float32, where a cache line begins.

    Vectors across cache lines cost 8 % of a step of 12288 → 7.
    """
    return p + -(address_of(work) // 4 + p) % WORD_LANES


def _row_quantizer(quantize_one, words_per_word):
    """Return `limbs_ld` and `quantize_rows` for rows that take so many words for four numbers."""

    @inlined
    def limbs_ld(n_words):
        """Return the size of a quantised row of 4 · n_words numbers, with a line for its scale."""
        return n_words * words_per_word + WORD_LANES

    @inlined
    def quantize_rows(n_rows, K, n_words, Y, y, ldy, limbs, offset):
        """Write limbs and scale of the rows Y[y + i ldy : … + K], i < n_rows, into `limbs`.

        Row i begins at offset + i · limbs_ld(n_words); its scale is the first of its last 16.
        """
        for _ in range(n_rows):
            quantize_one(Y, y, K, limbs, offset, offset + n_words * words_per_word)
            y += ldy
            offset += limbs_ld(n_words)

    return limbs_ld, quantize_rows


limbs_ld_by_number, quantize_rows_by_number = _row_quantizer(_quantizer(_by_number), 4)
limbs_ld_by_limb, quantize_rows_by_limb = _row_quantizer(_quantizer(_by_limb), N_LIMBS)
