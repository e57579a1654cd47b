"""Quantisation of rows of float32 to block fixed point: y = scale · (l₀ + 256 l₁ + 65536 l₂).

A row (of W or dZ) is rounded to integral multiples of its scale, a power of two for which the
largest integer of the row takes 23 bits. An integer is split into three limbs l₀, l₁, l₂, signed
bytes. Limb q of four numbers fills a 32-bit integer, which VNNI multiplies by four bytes of X.
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

LIMB_BASE = 256.0  # weight of a limb (signed byte of an integer) relative to the limb below it
N_LIMBS = 3  # limbs (signed bytes) of a quantised number
LIMBS_MAX = 0x7F7F7F  # largest integer that N_LIMBS signed bytes hold: 127 in each
#: An int with 128 in each of N_LIMBS bytes. (x + LIMB_CARRY) XOR LIMB_CARRY turns the bytes of x
#: into signed limbs: the sum carries into the next limb, XOR subtracts 128 from each.
LIMB_CARRY = 0x808080


def _quantizer(arrange):
    """Return the intrinsic quantize_one, which quantises n float32 numbers of a row.

    arrange(builder, four) emits the order in which limbs are stored, and returns a list of the LLVM
    vectors to store. four: a list of four LLVM vectors of 16 32-bit integers, which hold the limbs
    of 64 numbers, number by number.
    """

    @intrinsic
    def quantize_one(typingctx, Y, y, n, limbs, offset, scale_place):
        """Write the limbs (signed bytes) of Y[y : y + n], n > 0, to limbs[offset :].

        limbs[scale_place] = scale: the power of two for which the row's largest integer takes 23
        bits, or 22 if three limbs would not hold it; NaN if a number is not finite. If the largest
        |number| is ≥ 1e-31, errors are at most 1.01 · 2⁻²³ of it. Zeros follow up to a multiple of
        64 numbers. Y, limbs: flat vectors of float32; a number of `limbs` stores four limbs as its
        bits.
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
    """Emit loads of y[k : k + 64]; yield them as four LLVM vectors of 16 float32, 0 from y[n] on.

    v: the Vectors of float32; y: an LLVM address; k < n: LLVM integers.
    """
    bits = remaining_bits(builder, n, k)
    for j in range(4):
        at = builder.add(k, index_constant(j * WORD_LANES))
        wanted = mask_from_bits(
            builder, builder.lshr(bits, index_constant(j * WORD_LANES)), WORD_LANES
        )
        yield v.load_masked(y, at, wanted)


def _largest_bits(builder, v, y, n):
    """Emit the bit pattern of max |y[: n]|, an LLVM int32; y: LLVM address of float32 numbers.

    n: an LLVM integer; v: the Vectors of float32. The bits of a NaN are larger than of any number.
    """
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
    """Emit (scale, 1 / scale) of a row, LLVM float32 values that are normal powers of two.

    bits: the row's max |y| as the bits of a float32, an LLVM int32; v: the Vectors of float32. The
    row's largest integer takes 23 bits, or 22 where three limbs would not hold it. The scale is NaN
    if max |y| is infinite or NaN.
    """
    exponent = builder.lshr(builder.add(bits, INT32(0xFFFFFF - 2 * LIMBS_MAX)), INT32(23))
    up = builder.sub(INT32(2 * 127 + 22), exponent)
    up = builder.select(builder.icmp_signed("<", up, INT32(253)), up, INT32(253))
    down = builder.shl(builder.sub(INT32(254), up), INT32(23))
    finite = builder.icmp_signed("<", bits, INT32(0x7F800000))
    down = builder.select(finite, down, INT32(0x7FC00000))
    return tuple(builder.bitcast(x, v.scalar) for x in (down, builder.shl(up, INT32(23))))


def _limbs(builder, v, x, inverse):
    """Emit the limbs (signed bytes) of round(x · inverse) as an LLVM vector of 16 32-bit integers.

    x, inverse: LLVM vectors of 16 float32; inverse: 1 / scale in each lane; v: their Vectors. The
    integers 4 i … 4 i + 3 hold, of the numbers x[4 i] … x[4 i + 3], the four limbs 0, the limbs 1,
    the limbs 2, and zeros.
    """
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
    """Emit the LLVM vector sums[0] + 256 sums[1] + 65536 sums[2] in float32.

    sums: three LLVM vectors of int32, one a limb; v: the Vectors of float32.
    """
    first, second, third = (builder.sitofp(x, v.type) for x in sums)
    base = v.splat(v.scalar(LIMB_BASE))
    return v.multiply_add(v.multiply_add(third, base, second), base, first)


def _by_number(_builder, four):
    """Return the list `four` of four LLVM vectors as it is: number by number.

    Each four numbers take four 32-bit integers: their limbs 0, limbs 1, limbs 2, and zeros.
    """
    return four


def _by_limb(builder, four):
    """Emit three vectors of the 64 numbers in `four`, as a list: limbs 0, limbs 1, limbs 2.

    four: a list of four LLVM vectors of 16 32-bit integers, number by number. Each vector of the
    result holds 64 limbs (signed bytes) as 16 32-bit integers, in the order of the numbers.
    """
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
    """Return the least index ≥ p of the float32 vector `work` at which a cache line begins.

    Loads of vectors that cross cache lines cost 8 % of a step of 12288 → 7.
    """
    return p + -(address_of(work) // 4 + p) % WORD_LANES


def _row_quantizer(quantize_one, ints_per_four):
    """Return the functions (limbs_ld, quantize_rows) for one order of the limbs of a row.

    quantize_one: the intrinsic that quantises a row in that order. ints_per_four: how many 32-bit
    integers the limbs of four numbers take.
    """

    @inlined
    def limbs_ld(n_words):
        """Return n_words · ints_per_four + 16: 32-bit numbers from one quantised row to the next.

        A row holds the limbs of 4 · n_words numbers, then a cache line that begins with its scale.
        """
        return n_words * ints_per_four + WORD_LANES

    @inlined
    def quantize_rows(n_rows, K, n_words, Y, y, ldy, limbs, offset):
        """Quantise the rows Y[y + i · ldy : y + i · ldy + K] of float32, i < n_rows.

        Y, limbs: flat vectors of float32. Row i of the result begins at limbs[offset + i · ld], ld
        = limbs_ld(n_words): limbs (signed bytes, four in a 32-bit number) of 4 · n_words ≥ K
        numbers, zeros beyond K, and from place ld − 16 of the row on its scale. n_words: a multiple
        of 16.
        """
        for _ in range(n_rows):
            quantize_one(Y, y, K, limbs, offset, offset + n_words * ints_per_four)
            y += ldy
            offset += limbs_ld(n_words)

    return limbs_ld, quantize_rows


#: Rows whose limbs lie number by number (`_by_number`), then rows with all limbs 0, all limbs 1
#: and all limbs 2 of each 64 numbers (`_by_limb`).
limbs_ld_by_number, quantize_rows_by_number = _row_quantizer(_quantizer(_by_number), 4)
limbs_ld_by_limb, quantize_rows_by_limb = _row_quantizer(_quantizer(_by_limb), N_LIMBS)
