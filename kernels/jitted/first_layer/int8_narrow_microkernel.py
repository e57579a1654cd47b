"""Micro-kernels of uint8 X, read in place, times quantised float32 W or dZ, by VNNI.

A number of W or dZ is scale · (l₀ + 256 l₁ + 65536 l₂), where l₀, l₁, l₂ are limbs (signed bytes);
a row of it is followed by its scale. Sums of each limb are exact in int32.
"""

from __future__ import annotations

from numba.core import cgutils
from numba.extending import intrinsic

from ..codegen.simd import INT32, INT64, Vectors, emit_matrix, index, index_constant, void
from ..codegen.vnni import (
    VECTOR_BYTES,
    WORD_LANES,
    WORD_VECTOR,
    mask_from_bits,
    remaining_bits,
    shuffle_lanes,
    splat_word,
)
from .int8_packing import ByteRows, interleave4
from .quantize import N_LIMBS, emit_limbs_value

#: Examples of a forward tile. With two units it has 4 · 2 · N_LIMBS = 24 vectors of sums; bytes of
#: X and limbs of W take the rest of the 32 vector registers.
NARROW_MR = 4
#: Features of a tile of the gradient, a byte each: two vectors.
NARROW_BACK_NC = 2 * VECTOR_BYTES


def _add_halves(builder, x, y, width):
    """Emit sums of lanes that are `width` apart, of two vectors x and y of 16 int32, in one vector.

    Lane l of it is x[l] + x[l + width] if l & width = 0, else y[l − width] + y[l]. width: an int, a
    power of two below 16.
    """
    lanes = range(WORD_LANES)
    kept = [lane if lane & width == 0 else WORD_LANES + lane for lane in lanes]
    swapped = [lane + width if lane & width == 0 else WORD_LANES + lane - width for lane in lanes]
    return builder.add(shuffle_lanes(builder, x, y, kept), shuffle_lanes(builder, x, y, swapped))


def _lane_sums(builder, vectors):
    """Emit one vector with the sums over all lanes of each of n vectors of 16 int32.

    vectors: a list of n LLVM vectors, n a power of two up to 16. The sum of vector i stands in each
    of the 16 / n lanes from i · 16 / n on.
    """
    width = WORD_LANES // 2
    while width:
        half = (len(vectors) + 1) // 2
        pairs = zip(vectors[:half], vectors[-half:], strict=True)
        vectors = [_add_halves(builder, x, y, width) for x, y in pairs]
        width //= 2
    return vectors[0]


def _sums(builder, v, n_features, lines, source):
    """Emit a list of vectors of 16 int32 whose lanes add up to Σₖ X[e, k] · (limb q of W[o, k]).

    The vector of limb q, unit o and example e is element (q · units + o) · NARROW_MR + e of the
    list. v: the Vectors; lines: LLVM addresses of the units' rows of limbs (signed bytes),
    quantised by limb; source: the ByteRows of NARROW_MR examples; n_features: an LLVM integer, at
    least 1.
    """
    count = len(lines) * N_LIMBS
    k, sums, end = v.loop(
        n_features, VECTOR_BYTES, [splat_word(0)] * (count * NARROW_MR), once=True
    )
    sums = list(sums)
    at = builder.mul(
        builder.udiv(k, index_constant(VECTOR_BYTES)), index_constant(N_LIMBS * WORD_LANES)
    )
    limbs = [
        v.load(line, builder.add(at, index_constant(q * WORD_LANES)))
        for q in range(N_LIMBS)
        for line in lines
    ]
    for e, octets in enumerate(source.loads(k)):
        for i, limb in enumerate(limbs):
            values = [
                sums[i * NARROW_MR + e],
                *(builder.bitcast(x, WORD_VECTOR) for x in (octets, limb)),
            ]
            place = i * NARROW_MR + e
            sums[place] = v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, values)
    end(sums)
    return sums


def _tile_kernel(n_out):
    """Return the intrinsic that computes Z of n_out (1 or 2) units and up to NARROW_MR examples."""

    @intrinsic
    def tile(typingctx, X, rows, features, limbs, factor, Z, used):
        """Z[o, e] += factor Σₖ X[rows[e], first + k] W[o, k] for o < n_out and e < used.

        k runs to n − 1; (first, n) = features. X: an Input of bytes; rows: indices of examples, of
        which the first `used` count, 1 to NARROW_MR. limbs: a Matrix of the rows W[o], quantised by
        `quantize_rows_by_limb`; Z: a Matrix (n_out, used).
        """
        signature = void(X, rows, features, limbs, factor, Z, index)

        def codegen(context, builder, sig, args):
            source = ByteRows(context, builder, (X, rows, features), args[:3], NARROW_MR, args[6])
            v, count = source.v, NARROW_MR * n_out
            (_, _, ldd), d = emit_matrix(context, builder, limbs, args[3])
            (_, _, ldz), z = emit_matrix(context, builder, Z, args[5])
            lines = [builder.gep(d, [builder.mul(index_constant(o), ldd)]) for o in range(n_out)]
            sums = _sums(builder, v, source.n_features, lines, source)
            sums = [_lane_sums(builder, sums[i * count : (i + 1) * count]) for i in range(N_LIMBS)]
            total = emit_limbs_value(builder, v, sums)
            factor = v.splat(v.from_float64(args[4]))
            columns = v.mask(builder.trunc(args[6], INT32))
            for o, line in enumerate(lines):
                end = builder.sub(ldd, index_constant(WORD_LANES))
                scale = builder.load(builder.gep(line, [end]))
                lanes = [
                    (o * NARROW_MR + e) % count * (WORD_LANES // count) for e in range(WORD_LANES)
                ]
                # An integer times a normal power of two is never subnormal.
                x = builder.fmul(v.shuffle(total, total, lanes), v.splat(scale))
                place = builder.mul(index_constant(o), ldz)
                start = v.load_masked(z, place, columns)
                v.store_masked(v.multiply_add(x, factor, start), z, place, columns)
            return context.get_dummy_value()

        return signature, codegen

    return tile


#: The kernels tile(X, rows, features, limbs, factor, Z, used) for one unit and for two.
one_output, two_outputs = _tile_kernel(1), _tile_kernel(2)


def _in_order(v, vectors):
    """Emit a permutation of 64 numbers, one a feature, into the order of their features.

    v: the Vectors. vectors: four LLVM vectors of 16 numbers in the order that `interleave4` leaves:
    vector i holds features 4 i … 4 i + 3 of each quarter (16 features). Returns a list of four
    vectors; vector i holds features 16 i … 16 i + 15.
    """

    def quarters(x, y, places):
        """Emit a vector of four quarters (4 lanes each): places 0 to 3 are in x, 4 to 7 in y.

        places: a tuple of four int, the quarters in the order of the result.
        """
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


def _back_sums(builder, v, m, source_of, masks, limbs):
    """Emit sums[i · N_LIMBS + q] = Σⱼ X[j, k] · (limb q of dZ[j]), LLVM vectors of 16 int32.

    j runs over m examples (an LLVM integer); the lanes of vector i are 16 of NARROW_BACK_NC
    features k, in interleave4's order. v: the Vectors. source_of(j) returns the ByteRows of
    examples j … j + 3. masks: for each 64 features a mask, 64 single bits, of the features to load.
    limbs: LLVM address of dZ (m,), quantised by number. The NARROW_BACK_NC features before these
    are prefetched.
    """
    n_sums = NARROW_BACK_NC // WORD_LANES * N_LIMBS
    j, sums, end = v.loop(m, 4, [splat_word(0)] * n_sums, once=True)
    source, words = source_of(j), []
    for i, mask in enumerate(masks):
        words += interleave4(builder, source.loads(index_constant(i * VECTOR_BYTES), mask))
        source.prefetch(index_constant(i * VECTOR_BYTES - NARROW_BACK_NC))
    place = builder.bitcast(builder.gep(limbs, [j]), INT32.as_pointer())
    factors = [
        v.splat(builder.load(builder.gep(place, [index_constant(q)]))) for q in range(N_LIMBS)
    ]
    sums = [
        v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, [sums[i * N_LIMBS + q], line, limb])
        for i, line in enumerate(words)
        for q, limb in enumerate(factors)
    ]
    end(sums)
    return sums


def _feature_masks(builder, n_features):
    """Emit two masks, 64 single bits each: which of NARROW_BACK_NC features are below n_features.

    n_features: an LLVM integer, at least 1. The first mask is of features 0 … 63, the second of 64
    … 127.
    """
    zero = INT64(0)
    second = builder.icmp_signed(">", n_features, index_constant(VECTOR_BYTES))
    end = builder.select(second, n_features, index_constant(NARROW_BACK_NC))
    last = remaining_bits(builder, end, index_constant(VECTOR_BYTES))
    first = remaining_bits(builder, n_features, zero)
    return [
        mask_from_bits(builder, bits, VECTOR_BYTES)
        for bits in (first, builder.select(second, last, zero))
    ]


@intrinsic
def backward_tile(typingctx, X, rows, features, limbs, factor, dW, accumulate):
    """dW[0, k] = factor Σⱼ X[rows[j], first + k] dZ[0, j] for k < n; (first, n) = features.

    The old dW[0, k] is added if accumulate is not 0. 1 ≤ n ≤ NARROW_BACK_NC. X: an Input of bytes;
    rows (m,): indices of examples. limbs: a Matrix of one row, dZ[0] of m numbers, quantised by
    `quantize_rows_by_number`; dW: a Matrix (1, n). The features before `first`, whose tile comes
    next, are prefetched.
    """
    signature = void(X, rows, features, limbs, factor, dW, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, dW.types[0].dtype)
        _, n_features = cgutils.unpack_tuple(builder, args[2])
        (_, _, ldd), d = emit_matrix(context, builder, limbs, args[3])
        _, c = emit_matrix(context, builder, dW, args[5])
        m = cgutils.unpack_tuple(
            builder, context.make_array(rows)(context, builder, args[1]).shape
        )[0]

        def source_of(j):
            """Return the ByteRows of the examples j … j + 3; j: an LLVM integer.

            Indices beyond the last example mean the last.
            """
            return ByteRows(
                context, builder, (X, rows, features), args[:3], 4, builder.sub(m, j), j
            )

        masks = _feature_masks(builder, n_features)
        sums = _back_sums(builder, v, m, source_of, masks, d)
        numbers = [
            emit_limbs_value(builder, v, sums[i : i + N_LIMBS])
            for i in range(0, len(sums), N_LIMBS)
        ]
        end = builder.sub(ldd, index_constant(WORD_LANES))
        scale = v.splat(builder.load(builder.gep(d, [end])))
        factor = v.splat(v.from_float64(args[4]))
        adds = builder.icmp_signed("!=", args[6], INT64(0))
        for i, x in enumerate(_in_order(v, numbers[:4]) + _in_order(v, numbers[4:])):
            at = index_constant(i * WORD_LANES)
            columns = v.mask(builder.trunc(builder.sub(n_features, at), INT32))
            start = builder.select(adds, v.load_masked(c, at, columns), v.zero)
            x = v.multiply_add(builder.fmul(x, scale), factor, start)
            v.store_masked(x, c, at, columns)
        return context.get_dummy_value()

    return signature, codegen
