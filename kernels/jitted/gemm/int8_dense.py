"""Dense layers of bytes: S[i, o] = bias[o] + Σₖ q[i, k] W[o, k] in int32, and what is made of S.

A row of activations q (n_in,) is bytes, four to a word, one example after the other. Weights are
packed in panels (n_words, 16): a word holds four weights of a unit, a row those of 16 units. A tile
multiplies a word of each of MR examples with a row of up to INT8_DENSE_PANELS panels. Its sums are
stored as bytes, clip(round(factor S) + zero), which are activations of the next layer, or as
float32, factor S. Integers have no rounding: sums do not depend on the order of their terms.
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
from ..codegen.int8_dot import fastest_dot
from ..codegen.simd import (
    INT32,
    Vectors,
    clamp_index,
    element_pointer,
    emit_matrix,
    emit_record,
    index,
    index_constant,
    void,
)
from ..codegen.vnni import WORD_LANES, WORD_VECTOR
from ..compiler.jit import exact, kernel
from ..records import Matrix

INT8_DENSE_MR, INT8_DENSE_PANELS = block_sizes().INT8_DENSE_MR, block_sizes().INT8_DENSE_PANELS
#: The types, in LLVM, of 16 float32 and of 16 bytes.
FLOATS = ir.VectorType(ir.FloatType(), WORD_LANES)
OCTETS = ir.VectorType(ir.IntType(8), WORD_LANES)
MAX_OCTET = 255.0


class Panels(NamedTuple):
    """Where a layer's numbers begin in a vector, counted in 32-bit numbers."""

    words: int  # packed weights, n_words · 16 a panel
    n_words: int  # rows of a panel
    bias: int  # int32, one a unit, padded to whole panels
    factor: int  # float32, as many


class Stored(NamedTuple):
    """What a tile stores: bytes around `zero` if to_bytes is 1, else float32."""

    to_bytes: int
    zero: float


def emit_bytes(v, values, zero):
    """Emit 16 bytes, clip(round(values) + zero) to 0 … 255, ties to even.

    v: the Vectors; values: an LLVM vector of 16 float32; zero: one with the zero point in each
    lane. A lane that is NaN becomes 0.
    """
    builder, name = v.builder, f"llvm.rint.v{WORD_LANES}f32"
    x = builder.fadd(v.call(name, FLOATS, [values]), zero)
    low, high = (ir.Constant(FLOATS, [value] * WORD_LANES) for value in (0.0, MAX_OCTET))
    x = builder.select(builder.fcmp_ordered(">", x, low), x, low)
    x = builder.select(builder.fcmp_ordered("<", x, high), x, high)
    return builder.trunc(builder.fptosi(x, WORD_VECTOR), OCTETS)


def emit_splat_float(builder, value):
    """Emit 16 float32, each equal to `value`, an LLVM float64."""
    undefined = ir.Constant(FLOATS, ir.Undefined)
    number = builder.fptrunc(value, ir.FloatType())
    first = builder.insert_element(undefined, number, INT32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(WORD_VECTOR, [0] * WORD_LANES))


def _at(builder, pointer, offset, kind):
    """Emit pointer + offset as a pointer to a vector of LLVM type `kind`; offset: LLVM int64."""
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


def _emit_loads(builder, pointer, start, panels, kind):
    """Emit a list of `panels` vectors of LLVM type `kind` from pointer + start on; LLVM values."""
    starts = [builder.add(start, index_constant(p * WORD_LANES)) for p in range(panels)]
    return [builder.load(_at(builder, pointer, place, kind), align=4) for place in starts]


def _emit_sums(v, rows, panels, given, numbers, lines):
    """Emit the tile's sums: a list of panels · len(lines) vectors of 16 int32, row by row.

    given: a Panels of LLVM values, which `numbers`, an LLVM pointer to float32, begins; lines: LLVM
    pointers to the rows of activations.
    """
    builder, dot = v.builder, fastest_dot(v)
    size = builder.mul(given.n_words, index_constant(WORD_LANES))
    starts = [builder.add(given.words, builder.mul(size, index_constant(p))) for p in range(panels)]
    first = _emit_loads(builder, numbers, given.bias, panels, WORD_VECTOR)
    k, sums, end = v.loop(given.n_words, 1, first * rows, once=True)
    row, sums = builder.mul(k, index_constant(WORD_LANES)), list(sums)
    weights = [
        dot.weights(
            builder.load(_at(builder, numbers, builder.add(start, row), WORD_VECTOR), align=4)
        )
        for start in starts
    ]
    for i, line in enumerate(lines):
        word = builder.load(builder.bitcast(builder.gep(line, [k]), INT32.as_pointer()), align=4)
        activations = dot.activations(word)
        for p in range(panels):
            sums[i * panels + p] = dot.add(sums[i * panels + p], activations, weights[p])
    end(sums)
    return sums


def _emit_store(v, panels, values, stored, target):
    """Emit the stores of a row of the tile as bytes or as float32.

    values: `panels` vectors of 16 float32; stored: (LLVM bit: to bytes?, vector of the zero point);
    target: LLVM pointer to the row's place, in 32-bit numbers.
    """
    builder = v.builder
    with builder.if_else(stored[0]) as (as_bytes, as_numbers):
        with as_bytes:
            for p in range(panels):
                place = _at(builder, target, index_constant(p * WORD_LANES // 4), OCTETS)
                builder.store(emit_bytes(v, values[p], stored[1]), place, align=1)
        with as_numbers:
            for p in range(panels):
                place = _at(builder, target, index_constant(p * WORD_LANES), FLOATS)
                builder.store(values[p], place, align=4)


def _tile_kernel(rows, panels):
    """Return the intrinsic tile(numbers, layer, A, C, m, stored): `rows` × `panels` · 16 of S."""

    @intrinsic
    def tile(typingctx, numbers, layer, A, C, m, stored):
        """Write C[i, o] of min(m, rows) examples and 16 · panels units, for bytes A.

        numbers: the vector that `layer`, a Panels of the first of these panels, points into. A: a
        Matrix of words; C: a Matrix of 32-bit numbers, which takes float32, or bytes four to a
        number, as `stored`, a Stored, says. Rows from m on repeat row m − 1.
        """
        signature = void(numbers, layer, A, C, index, stored)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, types.float32)
            given = emit_record(builder, layer, args[1])
            kept = emit_record(builder, stored, args[5])
            first = element_pointer(context, builder, numbers, args[0], index_constant(0))
            (_, _, lda), a = emit_matrix(context, builder, A, args[2])
            (_, _, ldc), c = emit_matrix(context, builder, C, args[3])
            places = [clamp_index(builder, i, args[4]) for i in range(rows)]
            lines = [builder.gep(a, [builder.mul(place, lda)]) for place in places]
            sums = _emit_sums(v, rows, panels, given, first, lines)
            factors = _emit_loads(builder, first, given.factor, panels, FLOATS)
            to_bytes = builder.icmp_signed("!=", kept.to_bytes, index_constant(0))
            ends = to_bytes, emit_splat_float(builder, kept.zero)
            for i, place in enumerate(places):
                values = [
                    builder.fmul(builder.sitofp(sums[i * panels + p], FLOATS), factors[p])
                    for p in range(panels)
                ]
                _emit_store(v, panels, values, ends, builder.gep(c, [builder.mul(place, ldc)]))
            return context.get_dummy_value()

        return signature, codegen

    return tile


_tile = _tile_kernel(INT8_DENSE_MR, INT8_DENSE_PANELS)
_tile_of_a_panel = _tile_kernel(INT8_DENSE_MR, 1)
_row = _tile_kernel(1, INT8_DENSE_PANELS)
_row_of_a_panel = _tile_kernel(1, 1)


@kernel
def multiply_int8(n_panels, m, numbers, layer, A, C, stored):
    """C[i, o] from S[i, o] = bias[o] + Σₖ A[i, k] W[o, k] for i < m and o < 16 n_panels.

    numbers, layer: the vector of the layer's numbers and a Panels, where it has them; A: a Matrix
    of words; C: a Matrix of 32-bit numbers; stored: a Stored, what C takes. The rows that no whole
    tile covers are one that repeats its last row, or, if they are few, single ones.
    """
    words, n_words, bias, factor = layer
    for p in range(0, n_panels, INT8_DENSE_PANELS):
        first = Panels(
            words + p * n_words * WORD_LANES, n_words, bias + p * WORD_LANES,
            factor + p * WORD_LANES,
        )  # fmt: skip
        whole = INT8_DENSE_PANELS == 1 or p + INT8_DENSE_PANELS <= n_panels
        column = C.offset + p * (WORD_LANES // 4 if stored.to_bytes != 0 else WORD_LANES)
        i = 0
        while i < m:
            a = Matrix(A.data, A.offset + i * A.ld, A.ld)
            c = Matrix(C.data, column + i * C.ld, C.ld)
            if m - i > INT8_DENSE_MR // 2:
                if whole:
                    _tile(numbers, first, a, c, m - i, stored)
                else:
                    _tile_of_a_panel(numbers, first, a, c, m - i, stored)
                i += INT8_DENSE_MR
            else:
                if whole:
                    _row(numbers, first, a, c, 1, stored)
                else:
                    _row_of_a_panel(numbers, first, a, c, 1, stored)
                i += 1


@intrinsic
def _quantize_rows(typingctx, m, n, A, scale, zero, C):
    """Emit what `quantize_rows` does, with its arguments."""
    signature = void(index, index, A, types.float64, types.float64, C)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, types.float32)
        (_, _, lda), a = emit_matrix(context, builder, A, args[2])
        (_, _, ldc), c = emit_matrix(context, builder, C, args[5])
        step, zero_point = emit_splat_float(builder, args[3]), emit_splat_float(builder, args[4])
        i, _, close_rows = v.loop(args[0], 1, [])
        line, target = (
            builder.gep(pointer, [builder.mul(i, ld)]) for pointer, ld in ((a, lda), (c, ldc))
        )
        k, _, close = v.loop(args[1], WORD_LANES, [])
        values = builder.fdiv(builder.load(_at(builder, line, k, FLOATS), align=4), step)
        place = _at(builder, target, builder.sdiv(k, index_constant(4)), OCTETS)
        builder.store(emit_bytes(v, values, zero_point), place, align=1)
        close([])
        close_rows([])
        return context.get_dummy_value()

    return signature, codegen


@exact
def quantize_rows(m, n, A, scale, zero, C):
    """C[i, k] = clip(round(A[i, k] / scale) + zero) for i < m and k < n, bytes; m, n > 0.

    A: a Matrix of float32; scale, zero: float64, the first a float32's value; C: a Matrix of 32-bit
    numbers, each of four bytes. Up to 15 numbers behind each row of A are read, and their bytes are
    written behind the row of C. LLVM must not multiply by 1 / scale, which rounds elsewhere.
    """
    _quantize_rows(m, n, A, scale, zero, C)
