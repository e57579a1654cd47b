"""Tiles of uint8 × quantised float32 products by VNNI, on a packed panel of bytes."""

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
    """Factors of a tile in scratch: a panel (n_words, INT8_NR) of bytes and rows of limbs."""

    panel: int  # offset
    n_words: int  # height of the panel
    limbs: int  # offset
    limbs_ld: int  # numbers from a row of limbs to the next


class Columns(NamedTuple):
    """Columns of C that a tile writes."""

    n: int  # at most INT8_NR
    accumulate: int  # 1: add to C, 0: overwrite it


class Prefetch(NamedTuple):
    """Bytes of X that tiles prefetch while they multiply."""

    row: int  # first of the row indices
    end_row: int  # rows from this one on stand for the last before it
    feature: int
    n_turns: int  # cache lines that each of the first two tiles prefetches, one a turn of its loop
    feature_step: int  # from the first feature of the first tile to that of the second


class _Prefetcher:
    """Emits prefetches of X, one in each of the first turns of a tile's loop over words.

    X, prefetch: records of LLVM values. tile: the tile's number in its column; only the tiles 0 and
    1 prefetch.
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
        """Prefetch the cache line of this turn, if it has one."""
        with self.builder.if_then(self.builder.icmp_signed("<", turn, self.n_turns)):
            self._prefetch(turn)

    def _prefetch(self, turn):
        """Forward take a line of INT8_NR examples in turn, backward one of every fourth example."""
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
    """Vectors of int32: sums[i][j][q] for limb q of row i and the j-th half of the columns."""
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
    """Emit C = (accumulate: C +) factor · scale · sums for the rows of a tile.

    scales: a pointer to the scale of each row of limbs; target: pointer to C and its ld.
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
            total = builder.fmul(emit_limbs_value(builder, v, sums[i][j]), scale)  # no subnormal
            v.store_masked(v.multiply_add(total, factor, start), c, place, mask)


def _tile_kernel(tall, forwards):
    """Return the intrinsic that computes `tall` rows of C in up to INT8_NR columns."""

    @intrinsic
    def tile(typingctx, o, scratch, operands, factor, C, columns, X, rows, prefetch):
        """C[o+i, j] = (accumulate: C[o+i, j] +) factor Σ limbs[o+i, k] panel[k, j] for i < tall.

        o is a multiple of INT8_MR. The operands are Operands in scratch, C is a Matrix; X[rows] is
        prefetched from.
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
    """Return the function that computes all rows of C in up to INT8_NR columns."""
    one, two, three, four = (_tile_kernel(tall, forwards) for tall in range(1, INT8_MR + 1))

    @inlined
    def column(n_out, scratch, operands, factor, C, columns, X, rows, prefetch):
        """C[o, j] = (accumulate: C[o, j] +) factor Σ limbs[o, k] panel[k, j] for o < n_out.

        The first two tiles prefetch bytes that are packed next, from features a step apart: a
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


column_forward, column_backward = _column_kernel(True), _column_kernel(False)
