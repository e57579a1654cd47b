"""Numbers in digits: three signed ones, base 256, which hold what 24 bits hold.

A row is rounded once, to whole multiples of a power of two, in which its largest number takes 23
bits. Each four numbers are words of four digits: their first ones, their second and their third.
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

BASE, MOST = 256.0, 0x7F7F7F  # of digits, and the largest number that three of them make
ROOM = 112 * 1024  # numbers that a product takes at most for digits, panels, and to begin a line
CARRY = 0x808080  # makes the bytes of an integer its signed digits, once it is added and taken off


def _cut_of(arranged):
    """Return the intrinsic that cuts a row; `arranged` orders the words of every 64 numbers."""

    @intrinsic
    def cut(typingctx, Y, y, n, D, d, s):
        """Write n numbers of Y as words of digits, from D[d] on, and their unit.

        The unit, D[s], is a power of two, so that the largest number takes 23 bits, or 22 where
        three digits would not hold it: any is rounded by at most 1.01 · 2⁻²³ of the largest, if
        that is not below 1e-31. It is NaN where a number is not finite.
        """
        signature = void(Y, index, index, D, index, index)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, D.dtype)
            y = element_pointer(context, builder, Y, args[0], args[1])
            d, s = (element_pointer(context, builder, D, args[3], place) for place in args[4:])
            unit, inverse = _unit(builder, v, _largest(builder, v, y, args[2]))
            builder.store(unit, s)
            inverse = v.splat(inverse)
            k, _, end = v.loop(args[2], VECTOR_BYTES, [])
            four = [_digits(builder, v, x, inverse) for x in _four(builder, v, y, args[2], k)]
            lines = arranged(builder, four)
            first = builder.mul(
                builder.udiv(k, index_constant(VECTOR_BYTES)),
                index_constant(len(lines) * WORD_LANES),
            )
            for i, line in enumerate(lines):
                place = builder.add(first, index_constant(i * WORD_LANES))
                v.store(builder.bitcast(line, v.type), d, place)
            end([])
            return context.get_dummy_value()

        return signature, codegen

    return cut


def _four(builder, v, y, n, k):
    """Four vectors of numbers from k on, zero where there are none."""
    bits = remaining_bits(builder, n, k)
    for j in range(4):
        at = builder.add(k, index_constant(j * WORD_LANES))
        wanted = mask_from_bits(
            builder, builder.lshr(bits, index_constant(j * WORD_LANES)), WORD_LANES
        )
        yield v.load_masked(y, at, wanted)


def _largest(builder, v, y, n):
    """The bits of the largest of n |numbers|; NaN counts as larger than any."""
    k, best, end = v.loop(n, VECTOR_BYTES, [splat_word(0)] * 4)
    found = []
    for x, most in zip(_four(builder, v, y, n, k), best, strict=True):
        bits = builder.and_(builder.bitcast(x, WORD_VECTOR), splat_word(0x7FFFFFFF))
        found.append(builder.select(builder.icmp_signed(">", bits, most), bits, most))
    end(found)
    while len(found) > 1:
        x, y = found.pop(), found.pop()
        found.append(builder.select(builder.icmp_signed(">", x, y), x, y))
    return v.call(f"llvm.vector.reduce.smax.v{WORD_LANES}i32", INT32, found)


def _unit(builder, v, bits):
    """(unit, inverse) as powers of two, from the bits of the largest number.

    Its exponent is the next one where three digits would not hold it in 23 bits; neither of the two
    is subnormal.
    """
    exponent = builder.lshr(builder.add(bits, INT32(0xFFFFFF - 2 * MOST)), INT32(23))
    up = builder.sub(INT32(2 * 127 + 22), exponent)
    up = builder.select(builder.icmp_signed("<", up, INT32(253)), up, INT32(253))
    down = builder.shl(builder.sub(INT32(254), up), INT32(23))
    finite = builder.icmp_signed("<", bits, INT32(0x7F800000))
    down = builder.select(finite, down, INT32(0x7FC00000))
    return tuple(builder.bitcast(x, v.scalar) for x in (down, builder.shl(up, INT32(23))))


def _digits(builder, v, x, inverse):
    """16 numbers as words: of each four their first digits, their second, third, and no digits."""
    values = [
        builder.fmul(x, inverse),
        splat_word(0),
        ir.IntType(16)(-1),
        INT32(4),
    ]  # 4: to nearest
    steps = v.call("llvm.x86.avx512.mask.cvtps2dq.512", WORD_VECTOR, values)
    carry = splat_word(CARRY)
    octets = builder.bitcast(builder.xor(builder.add(steps, carry), carry), BYTE_VECTOR)
    places = [
        lane + 4 * i + digit
        for lane in range(0, VECTOR_BYTES, WORD_LANES)
        for digit in range(4)
        for i in range(4)
    ]
    return builder.bitcast(shuffle_lanes(builder, octets, octets, places), WORD_VECTOR)


def number(builder, v, sums):
    """What three sums of digits stand for, as float32."""
    first, second, third = (builder.sitofp(x, v.type) for x in sums)
    base = v.splat(v.scalar(BASE))
    return v.multiply_add(v.multiply_add(third, base, second), base, first)


def _in_fours(_builder, four):
    """Words as they are: those of four numbers side by side, and behind them one of nothing."""
    return four


def _in_lines(builder, four):
    """Three vectors: the first digits of 64 numbers, their second and their third."""
    halves = [[*range(i, i + 8), *range(WORD_LANES + i, WORD_LANES + i + 8)] for i in (0, 8)]
    lines = []
    for digits in ((0, 1), (2, 2)):
        places = [i + q for q in digits for i in range(0, 2 * WORD_LANES, 4)]
        x, y = (shuffle_lanes(builder, *pair, places) for pair in (four[:2], four[2:]))
        lines += [shuffle_lanes(builder, x, y, half) for half in halves]
    return lines[:3]


@inlined
def aligned(work, p):
    """The first place from p on where a cache line begins.

    With vectors across lines 12288 → 7 took 8 % longer.
    """
    return p + -(address_of(work) // 4 + p) % WORD_LANES


def _rows_of(cut_one, size):
    """Return `length` and `cut` of rows in digits, so many words to each of bytes."""

    @inlined
    def length(words):
        """Numbers that a row of so many words of bytes takes: whole lines, and one behind."""
        return words * size + WORD_LANES

    @inlined
    def cut(n, K, words, Y, y, ldy, D, d):
        """Write n rows of K numbers in digits at D[d:], each with its unit in the line behind."""
        for _ in range(n):
            cut_one(Y, y, K, D, d, d + words * size)
            y += ldy
            d += length(words)

    return length, cut


length, cut = _rows_of(_cut_of(_in_fours), 4)
length_in_lines, cut_in_lines = _rows_of(_cut_of(_in_lines), 3)
