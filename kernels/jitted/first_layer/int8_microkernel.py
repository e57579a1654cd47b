"""Micro-kernel C[i, j] = factor Σₖ y[i, k] x[k, j] by VNNI: x packed bytes of X, y quantised.

y[i, k] = scale[i] (l₀ + 256 l₁ + 65536 l₂), where l₀, l₁, l₂ are limbs (signed bytes); y is W
forward and dZ in the gradient. Sums of each limb are exact in int32. A tile has up to INT8_MR rows
and INT8_NR columns of C, to which it can also add.
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir
from numba.extending import intrinsic

from ..codegen.pointers import emit_prefetch
from ..codegen.simd import (
    INT32,
    Vectors,
    element_pointer,
    emit_matrix,
    emit_record,
    index,
    index_constant,
    void,
)
from ..codegen.vnni import (
    INT8_MR,
    INT8_NR,
    VECTOR_BYTES,
    WORD_LANES,
    WORD_VECTOR,
    splat_word,
)
from ..compiler.jit import inlined
from .quantize import N_LIMBS, emit_limbs_value


class Operands(NamedTuple):
    """Where the factors of a tile lie in scratch; offsets count 32-bit numbers.

    The panel (n_words, INT8_NR) is a matrix of 32-bit integers, each of four bytes of X. A row of
    limbs (signed bytes) is a quantised row of the other factor (W or dZ), followed by its scale.
    """

    panel: int  # offset of the panel
    n_words: int  # rows of the panel, four terms of the sum each
    limbs: int  # offset of the first row of limbs
    limbs_ld: int  # 32-bit numbers from a row of limbs to the next


class Columns(NamedTuple):
    """How many columns of C a tile writes, and whether it adds to them."""

    n: int  # 1 to INT8_NR; the tile writes no column from n on
    accumulate: int  # 1: add to C, 0: overwrite C


class Prefetch(NamedTuple):
    """The bytes of X that the first two tiles of a panel prefetch while they multiply.

    A position is an index into the vector `rows` of indices of examples.
    """

    row: int  # position of the first example to prefetch
    end_row: int  # length of `rows`; positions beyond mean its last
    feature: int  # first feature that the first tile prefetches
    n_turns: int  # cache lines that each of the two tiles prefetches, one a turn of its loop
    feature_step: int  # features from the first of the first tile to the first of the second


class _Prefetcher:
    """Emits a prefetch of a cache line of X in each of the first n_turns turns of a tile's loop.

    X, prefetch: an Input and a Prefetch as records of LLVM values. order: LLVM address of the
    indices of examples. tile: LLVM integer, the index of the tile among the tiles of its panel;
    tiles from 2 on prefetch nothing. forwards: Python bool, chooses which lines belong to which
    turn (`_prefetch`).
    """

    def __init__(self, builder, X, order, prefetch, tile, forwards):
        self.builder, self.order, self.forwards = builder, order, forwards
        self.row, self.stride = prefetch.row, X.row_stride
        active = builder.icmp_signed("<", tile, index_constant(2))
        self.n_turns = builder.select(active, prefetch.n_turns, index_constant(0))
        ahead = builder.add(prefetch.feature, builder.mul(tile, prefetch.feature_step))
        self.place = builder.add(X.address, ahead)
        self.last = builder.sub(prefetch.end_row, index_constant(1))

    def __call__(self, turn):
        """Emit the prefetch of turn number `turn`, an LLVM integer; none from n_turns on."""
        with self.builder.if_then(self.builder.icmp_signed("<", turn, self.n_turns)):
            self._prefetch(turn)

    def _prefetch(self, turn):
        """Emit the prefetch of one cache line for turn number `turn`, t, an LLVM integer.

        If forwards, it is line t // INT8_NR of the example at position row + t % INT8_NR; else the
        only line of the example at position row + 4 t. Positions beyond the last example mean the
        last.
        """
        builder, place = self.builder, self.place
        row = builder.mul(turn, index_constant(4))
        if self.forwards:
            row = builder.and_(turn, index_constant(INT8_NR - 1))
            line = builder.lshr(turn, index_constant(INT8_NR.bit_length() - 1))
            place = builder.add(place, builder.mul(line, index_constant(VECTOR_BYTES)))
        row = builder.add(self.row, row)
        row = builder.select(builder.icmp_signed("<", row, self.last), row, self.last)
        start = builder.mul(builder.load(builder.gep(self.order, [row])), self.stride)
        pointer = builder.inttoptr(builder.add(place, start), ir.IntType(8).as_pointer())
        emit_prefetch(builder, pointer)


def _sums(builder, v, n_words, panel, rows, prefetcher):
    """Emit Σₖ limb q of y[i, k] · x[k, j]; return sums[i][h][q], LLVM vectors of 16 int32.

    Lane l of a vector is column j = 16 h + l; h is 0 or 1. v: the Vectors. panel: LLVM address of
    x, (n_words, INT8_NR) of 32-bit integers of four bytes each; n_words: an LLVM integer; rows: a
    list of LLVM addresses, the rows y[i] of limbs (signed bytes). prefetcher(turn) emits a prefetch
    in each turn of the loop over n_words.
    """
    tall = len(rows)
    k, sums, end = v.loop(n_words, 1, [splat_word(0)] * (tall * 2 * N_LIMBS), once=True)
    prefetcher(k)
    sums = list(sums)
    panel = builder.gep(panel, [builder.mul(k, index_constant(INT8_NR))])
    octets = [
        builder.bitcast(v.load(panel, index_constant(j * WORD_LANES)), WORD_VECTOR)
        for j in range(2)
    ]
    at, word = builder.mul(k, index_constant(4)), INT32.as_pointer()
    for i in range(tall):
        row = builder.bitcast(builder.gep(rows[i], [at]), word)
        for q in range(N_LIMBS):
            limb = v.splat(builder.load(builder.gep(row, [index_constant(q)])))
            for j, line in enumerate(octets):
                place = (i * 2 + j) * N_LIMBS + q
                values = [sums[place], line, limb]
                sums[place] = v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, values)
    end(sums)
    starts = [[(i * 2 + j) * N_LIMBS for j in range(2)] for i in range(tall)]
    return [[sums[start : start + N_LIMBS] for start in row] for row in starts]


def _write_tile(builder, v, scales, sums, factor, target, columns):
    """Emit C[i, j] = factor · scale[i] · s[i, j], plus the old C[i, j] if columns.accumulate is 1.

    s = s₀ + 256 s₁ + 65536 s₂, where s_q is sums[i][h][q] of `_sums`. v: the Vectors; scales: LLVM
    addresses of scale[i]; factor: an LLVM vector with the factor in every lane; target: (address of
    C[0, 0], ld), LLVM values; columns: a Columns of LLVM values. Columns j ≥ columns.n are not
    written.
    """
    c, ldc = target
    adds = builder.icmp_signed("!=", columns.accumulate, index_constant(0))
    for i, scale_pointer in enumerate(scales):
        scale = v.splat(builder.load(scale_pointer))
        for j in range(2):
            rest = builder.sub(columns.n, index_constant(j * WORD_LANES))
            mask = v.mask(builder.trunc(rest, INT32))
            place = builder.add(builder.mul(index_constant(i), ldc), index_constant(j * WORD_LANES))
            start = builder.select(adds, v.load_masked(c, place, mask), v.zero)
            # An integer times a normal power of two is never subnormal.
            total = builder.fmul(emit_limbs_value(builder, v, sums[i][j]), scale)
            v.store_masked(v.multiply_add(total, factor, start), c, place, mask)


def _tile_kernel(tall, forwards):
    """Return the intrinsic tile(o, scratch, …), which computes a tile of the Matrix C.

    The tile has `tall` (1 to INT8_MR) rows from row o on, a multiple of INT8_MR, and INT8_NR
    columns. operands: an Operands, where in the vector `scratch` lie the limbs (signed bytes) of
    quantised y and the packed bytes x; columns: a Columns; factor: a float64. X, rows, prefetch: an
    Input, indices of examples and a Prefetch, which bytes of X[rows] are prefetched. forwards: a
    bool, True for the forward pass; only prefetching depends on it.
    """

    @intrinsic
    def tile(typingctx, o, scratch, operands, factor, C, columns, X, rows, prefetch):
        """C[o + i, j] = factor Σₖ y[o + i, k] x[k, j] for i < tall and j < columns.n; C: a Matrix.

        The old C[o + i, j] is added if columns.accumulate is 1. y, x: packed in scratch, where the
        Operands `operands` say. prefetch: a Prefetch, which bytes of X[rows] to prefetch.
        """
        signature = void(index, scratch, operands, factor, C, columns, X, rows, prefetch)

        def codegen(context, builder, sig, args):
            o, args = args[0], args[1:]
            given = emit_record(builder, operands, args[1])
            v = Vectors(context, builder, scratch.dtype)
            first = builder.add(given.limbs, builder.mul(o, given.limbs_ld))
            panel, limbs = (
                element_pointer(context, builder, scratch, args[0], place)
                for place in (given.panel, first)
            )
            offsets = [builder.mul(index_constant(i), given.limbs_ld) for i in range(tall)]
            lines = [builder.gep(limbs, [offset]) for offset in offsets]
            order = element_pointer(context, builder, rows, args[6], index_constant(0))
            number = builder.sdiv(o, index_constant(INT8_MR))
            source, ahead = (
                emit_record(builder, X, args[5]),
                emit_record(builder, prefetch, args[7]),
            )
            prefetcher = _Prefetcher(builder, source, order, ahead, number, forwards)
            sums = _sums(builder, v, given.n_words, panel, lines, prefetcher)
            end = builder.sub(given.limbs_ld, index_constant(WORD_LANES))
            (_, _, ldc), c = emit_matrix(context, builder, C, args[3])
            _write_tile(
                builder, v, [builder.gep(line, [end]) for line in lines], sums,
                v.splat(v.from_float64(args[2])),
                (builder.gep(c, [builder.mul(o, ldc)]), ldc),
                emit_record(builder, columns, args[4]),
            )  # fmt: skip
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _column_kernel(forwards):
    """Return the function that computes all rows of C in up to INT8_NR columns, tile by tile.

    forwards: a bool, True for the forward pass; only prefetching depends on it.
    """
    one, two, three, four = (_tile_kernel(tall, forwards) for tall in range(1, INT8_MR + 1))

    @inlined
    def column(n_out, scratch, operands, factor, C, columns, X, rows, prefetch):
        """C[o, j] = factor Σₖ y[o, k] x[k, j] for o < n_out and j < columns.n.

        The old C[o, j] is added if columns.accumulate is 1. operands: an Operands, where in the
        vector `scratch` lie the limbs (signed bytes) of quantised y and the panel of packed bytes
        x. C: a Matrix; columns: a Columns. prefetch: a Prefetch, the bytes of X[rows] (X an Input,
        rows indices of examples) that are packed next, which the first two tiles prefetch: a
        training step of 12288 → 7 takes 7 % less time.
        """
        for o in range(0, n_out, INT8_MR):
            if n_out - o > 3:
                four(o, scratch, operands, factor, C, columns, X, rows, prefetch)
            elif n_out - o == 3:
                three(o, scratch, operands, factor, C, columns, X, rows, prefetch)
            elif n_out - o == 2:
                two(o, scratch, operands, factor, C, columns, X, rows, prefetch)
            else:
                one(o, scratch, operands, factor, C, columns, X, rows, prefetch)

    return column


#: The kernels of the forward pass and of the gradient; they differ in what they prefetch.
column_forward, column_backward = _column_kernel(True), _column_kernel(False)
