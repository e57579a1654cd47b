"""Products of rows of bytes, as they lie, with few rows of numbers in digits: nothing is laid out.

For long rows: to lay their bytes in panels takes as long as to multiply them for three or four
outputs. On the way forward a tile's sums go over thousands of features, and only their last step
rounds. On the way back, for one output, bytes are put together by fours in registers.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.pointers import view
from ..codegen.simd import INT32, INT64, Vectors, element_pointer, index, index_constant, void
from ..codegen.vnni import (
    VECTOR_BYTES,
    WORD_LANES,
    WORD_VECTOR,
    even_chunk,
    mask_from_bits,
    remaining_bits,
    round_up,
    shuffle_lanes,
    splat_word,
)
from ..compiler.dispatch_table import in_training, indirect
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from .int8_packing import Bytes, by_fours, lined
from .quantize import ROOM, aligned, cut, cut_in_lines, length_in_lines, number

NAME, ONE = "rows of bytes", "rows of bytes for one"  # what networks name that need these kernels
TALL = 4  # examples of a tile: with two outputs 24 sums, and what they are made of
#: Features from which on rows go so, outputs up to which, and features for each of them. In panels
#: 12288 → 7 took 1.25 times as long, → 20 1.05, 3072 → 16 as long, → 32 0.94 (EPYC).
LONG, MANY, EACH = 2048, 32, 256
MOST = 6144  # features of a tile, but for a vector: sums of up to 65,793 do not overflow
PARTS = 8  # groups of features that long rows are summed in, at most
EXAMPLES, WIDE = 2048, 2 * VECTOR_BYTES  # at a time on the way back, and features


@inlined
def suit(n, outputs):
    """Tell whether rows of n features go so to so many outputs, where they are read in place."""
    return n >= max(LONG, EACH * outputs) and outputs <= MANY


@inlined
def suit_back(n, outputs):
    """The same on the way back: 209 rows of 12288 to one took 81 µs, in panels 152 (EPYC)."""
    return n >= LONG and outputs == 1


@inlined
def tiles(n, outputs):
    """How many tiles rows of n features go in: as many for each half, fourth or eighth.

    Long runs of a row take less time, but to one output a tile should stay in the second cache: 209
    rows of 12288 go to 7 in 0.92 and 0.96 of the time in halves, on one thread and two; to one on
    two threads a step took 77 to 81 µs in fourths in ten of twelve processes, 67 to 114 in halves
    (EPYC).
    """
    shares, least = 1, LONG if outputs == 1 else 2 * LONG
    while shares < PARTS and n >= 2 * shares * least:
        shares *= 2
    return (n + shares * MOST - 1) // (shares * MOST) * shares


@inlined
def span(n, count, tile):
    """Where a tile, of so many, of n features begins and how many it has: whole vectors of bytes.

    But for the last one's.
    """
    begin, end = (
        n * tile // count // VECTOR_BYTES * VECTOR_BYTES,
        n * (tile + 1) // count // VECTOR_BYTES * VECTOR_BYTES,
    )
    return begin, n - begin if tile + 1 == count else end - begin


def _halved(builder, x, y, width):
    """Add the halves of every group of 2·width lanes, those of x and y side by side."""
    lanes = range(WORD_LANES)
    kept = [lane if lane & width == 0 else WORD_LANES + lane for lane in lanes]
    turned = [lane + width if lane & width == 0 else WORD_LANES + lane - width for lane in lanes]
    return builder.add(shuffle_lanes(builder, x, y, kept), shuffle_lanes(builder, x, y, turned))


def _totals(builder, vectors):
    """One vector, in which each of 16 / count lanes in turn is the sum of one of the vectors."""
    width = WORD_LANES // 2
    while width:
        half = (len(vectors) + 1) // 2
        pairs = zip(vectors[:half], vectors[-half:], strict=True)
        vectors = [_halved(builder, x, y, width) for x, y in pairs]
        width //= 2
    return vectors[0]


def _sums(builder, v, n, lines, source):
    """Vectors of sums, of every example's products with one row's q-th digits side by side."""
    many = len(lines) * 3
    k, sums, end = v.loop(n, VECTOR_BYTES, [splat_word(0)] * (many * TALL), once=True)
    sums, at = (
        list(sums),
        builder.mul(builder.udiv(k, index_constant(VECTOR_BYTES)), index_constant(3 * WORD_LANES)),
    )
    digits = [
        v.load(line, builder.add(at, index_constant(q * WORD_LANES)))
        for q in range(3)
        for line in lines
    ]
    for e, octets in enumerate(source.loads(k)):
        for i, digit in enumerate(digits):
            values = [
                sums[i * TALL + e],
                *(builder.bitcast(x, WORD_VECTOR) for x in (octets, digit)),
            ]
            sums[i * TALL + e] = v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, values)
    end(sums)
    return sums


def _tile_of(wide):
    """Return the intrinsic that computes up to TALL examples of so many outputs."""

    @intrinsic
    def tile(typingctx, X, rows, k0, n, D, d, ldd, factor, C, c, ldc, used):
        """C[c + e + o ldc] += factor Σₖ X[rows[e], k0 + k] times digits, e < used, o < wide, k < n.

        Lines of digits lie at D[d:], ldd apart, each with its unit at the end.
        """
        signature = void(X, rows, index, index, D, index, index, factor, C, *(index,) * 3)

        def codegen(context, builder, sig, args):
            source = Bytes(context, builder, args[:4], rows, TALL, args[11])
            v, each = source.v, TALL * wide
            d, c = (
                element_pointer(context, builder, kind, *args[i : i + 2])
                for i, kind in ((4, D), (8, C))
            )
            lines = [builder.gep(d, [builder.mul(index_constant(o), args[6])]) for o in range(wide)]
            sums = _sums(builder, v, args[3], lines, source)
            sums = [_totals(builder, sums[i : i + each]) for i in range(0, 3 * each, each)]
            total, factor = number(builder, v, sums), v.splat(builder.fptrunc(args[7], v.scalar))
            columns = v.mask(builder.trunc(args[11], INT32))
            for o, line in enumerate(lines):
                unit = builder.load(
                    builder.gep(line, [builder.sub(args[6], index_constant(WORD_LANES))])
                )
                lanes = [(o * TALL + e) % each * (WORD_LANES // each) for e in range(WORD_LANES)]
                x = builder.fmul(v.shuffle(total, total, lanes), v.splat(unit))  # no subnormal
                place = builder.mul(index_constant(o), args[10])
                start = v.load_masked(c, place, columns)
                v.store_masked(v.multiply_add(x, factor, start), c, place, columns)
            return context.get_dummy_value()

        return signature, codegen

    return tile


_one, _two = _tile_of(1), _tile_of(2)


@indirect("i i X I1 i f f F1 i i F1 i i F1 i", requires=NAME)
def forward(n, N, X, rows, k0, scale, offset, W, w, ldw, C, c, ldc, work, p):
    """C[c + e + o ldc] += Σₖ (scale X[rows[e], k0 + k] + offset) W[w + o ldw + k], o < n, k < N.

    N is at most MOST and a vector; work[p:] has ROOM. What is not finite in W makes its output NaN.
    """
    add_offset(n, N, offset, W, w, ldw, rows.size, C, c, ldc)
    words, p = round_up(N, VECTOR_BYTES) // 4, aligned(work, p)
    many, ldd = (ROOM - WORD_LANES) // length_in_lines(words), length_in_lines(words)
    for first in range(0, n, many):
        count, at = min(many, n - first), c + first * ldc
        cut_in_lines(count, N, words, W, w + first * ldw, ldw, work, p)
        for e in range(0, rows.size, TALL):
            own, used = view(rows, e, rows.size - e), min(TALL, rows.size - e)
            for o in range(0, count - 1, 2):
                _two(X, own, k0, N, work, p + o * ldd, ldd, scale, C, at + e + o * ldc, ldc, used)
            if count % 2:
                o = count - 1
                _one(X, own, k0, N, work, p + o * ldd, ldd, scale, C, at + e + o * ldc, ldc, used)


def _in_order(v, vectors):
    """Four vectors, whose quarters hold every fourth of 16 fours of numbers, with all in order."""

    def quarters(x, y, places):
        return v.shuffle(x, y, [4 * place + i for place in places for i in range(4)])

    pairs = [
        quarters(x, y, places)
        for places in ((0, 1, 4, 5), (2, 3, 6, 7))
        for x, y in (vectors[:2], vectors[2:])
    ]
    return [
        quarters(x, y, places)
        for x, y in (pairs[:2], pairs[2:])
        for places in ((0, 2, 4, 6), (1, 3, 5, 7))
    ]


@intrinsic
def _sum(typingctx, X, rows, k0, n, m, D, d, s, factor, C, c, add):
    """C[c + k] = (add: itself +) factor Σⱼ X[rows[j], k0 + k] times digits, k < n ≤ WIDE, j < m.

    Words of digits lie at D[d:], their unit is D[s]. Asks for the WIDE features before these, which
    come next.
    """
    signature = void(X, rows, index, index, index, D, index, index, factor, C, index, index)

    def codegen(context, builder, sig, args):
        n, m = args[3], args[4]
        v = Vectors(context, builder, C.dtype)
        d, s = (element_pointer(context, builder, D, args[5], place) for place in args[6:8])
        c, zero = element_pointer(context, builder, C, *args[9:11]), INT64(0)
        more = builder.icmp_signed(">", n, index_constant(VECTOR_BYTES))
        last = remaining_bits(
            builder, builder.select(more, n, index_constant(WIDE)), index_constant(VECTOR_BYTES)
        )
        first = remaining_bits(builder, n, zero)
        wanted = [
            mask_from_bits(builder, x, VECTOR_BYTES)
            for x in (first, builder.select(more, last, zero))
        ]
        j, sums, end = v.loop(m, 4, [splat_word(0)] * (WIDE // WORD_LANES * 3), once=True)
        source = Bytes(context, builder, args[:4], rows, 4, builder.sub(m, j), j)
        words = []
        for i, those in enumerate(wanted):
            words += by_fours(builder, source.loads(index_constant(i * VECTOR_BYTES), those))
            source.ask(index_constant(i * VECTOR_BYTES - WIDE))
        place = builder.bitcast(builder.gep(d, [j]), INT32.as_pointer())
        digits = [v.splat(builder.load(builder.gep(place, [index_constant(q)]))) for q in range(3)]
        sums = [
            v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, [sums[i * 3 + q], line, digit])
            for i, line in enumerate(words)
            for q, digit in enumerate(digits)
        ]
        end(sums)
        numbers = [number(builder, v, sums[i : i + 3]) for i in range(0, len(sums), 3)]
        unit, factor = v.splat(builder.load(s)), v.splat(builder.fptrunc(args[8], v.scalar))
        adds = builder.icmp_signed("!=", args[11], zero)
        for i, x in enumerate(_in_order(v, numbers[:4]) + _in_order(v, numbers[4:])):
            at = index_constant(i * WORD_LANES)
            columns = v.mask(builder.trunc(builder.sub(n, at), INT32))
            start = builder.select(adds, v.load_masked(c, at, columns), v.zero)
            x = v.multiply_add(builder.fmul(x, unit), factor, start)
            v.store_masked(x, c, at, columns)
        return context.get_dummy_value()

    return signature, codegen


@indirect("i X I1 i f f F1 i F1 i F1 i", requires=in_training(ONE))
def backward(N, X, rows, k0, scale, offset, D, d, C, c, work, p):
    """C[c + k] = Σⱼ D[d + j] (scale X[rows[j], k0 + k] + offset), k < N.

    work[p:] has ROOM.
    """
    step, p = even_chunk(rows.size, EXAMPLES, 4), aligned(work, p)
    begin = lined(X, k0, WIDE)
    for first in range(0, rows.size, step):
        m = min(step, rows.size - first)
        own, words = view(rows, first, m), round_up((m + 3) // 4, WORD_LANES)
        cut(1, m, words, D, d + first, 0, work, p)
        for block in range((N - begin + WIDE - 1) // WIDE - 1, -1, -1):
            k = max(begin + block * WIDE, 0)
            wide = min(begin + (block + 1) * WIDE, N) - k
            _sum(
                X, own, k0 + k, wide, m, work, p, p + words * 4, scale, C, c + k,
                1 if first > 0 else 0,
            )  # fmt: skip
    add_offset(1, rows.size, offset, D, d, 0, N, C, c, 0)
