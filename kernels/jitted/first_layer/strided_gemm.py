"""Products over rows of X as they lie in memory, picked by index: narrow first layers.

Numbers are widened in registers, again for every tile's outputs, up to 10 with 32 registers: each
number of outputs has tiles of its own, of which a network's one or two are compiled. What scales
all numbers alike is applied to the sums. To lay images down as numbers, block by block, takes
longer up to 24 outputs at least, and 2.5 times as long for one.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from ...opcodes import READ
from ...views import statistics
from ..codegen.cpu import CACHE_LINE, block_sizes
from ..codegen.pointers import DTYPE_CODES, DTYPE_NAMES, MARK, emit_prefetch, view
from ..codegen.simd import (
    Vectors,
    clamp_index,
    element_pointer,
    index,
    index_constant,
    void,
)
from ..compiler.dispatch_table import in_training_each, indirect_each
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from ..gemm.inner_product import accumulate_dots, store_totals
from ..gemm.packing import lane_count

KINDS = READ[:3]  # dtypes that are read so, by the code of X: float32, float64, uint8
DOUBLE, BYTES = DTYPE_CODES[np.dtype(np.float64)], DTYPE_CODES[np.dtype(np.uint8)]
PARTS = 8  # groups of features that long rows are summed in, whatever the batch
#: Features at a time, at most, or twice as many for outputs whose weights (this many numbers, of
#: float32) still stay in the first cache. Rows of less than two SPAN go whole.
SPAN, NUMBERS = 768, 12_000
FAR = 2.0**30  # factors, and their inverse, up to which numbers may be scaled after they are summed
UNITS = 8.0  # that bytes may span once they are scaled: with more, sums of sx and o would cancel
FEWEST = 64  # features that are read so
LANES = 16  # numbers that any vector holds at most
FLOATS = "floats in place"  # what networks name that read X so

#: For 1, 2 … outputs: the rows of X of a tile on the way forward, and its vectors of features on
#: the way back. Sums, what is read and a factor fill the registers.
TALL, WIDE = block_sizes().STRIDED_MR, block_sizes().STRIDED_NR_VECTORS
MOST = len(TALL)  # outputs of a tile


def uses(dtype, n):
    """What linked kernels n outputs of X of a dtype need: they are shared out nearly evenly."""
    parts = -(-n // MOST)
    return {"in place", FLOATS}.union(_use(dtype, count) for count in (n // parts, -(-n // parts)))


def _use(dtype, count):
    """What the linked kernels of a dtype and so many outputs at once are needed for."""
    return f"{DTYPE_NAMES[dtype]} in place for {count}"


class _Rows:
    """Emits what both tiles read: vectors of the numbers behind X[rows[j], k], of a Numba type."""

    def __init__(self, context, builder, v, X, rows, k, kind):
        self.builder, self.v, self.rows, self.k, self.kind = builder, v, rows, k, kind
        self.address, self.step = (builder.extract_value(X, i) for i in range(2))
        self.pointers = context.get_data_type(kind).as_pointer()

    def pointer(self, j):
        """Address of the first number of an example, j counted in `rows`."""
        builder = self.builder
        row = builder.load(builder.gep(self.rows, [j]))
        place = builder.add(builder.mul(row, self.step), self.k)
        place = builder.mul(place, index_constant(self.kind.bitwidth // 8))
        return builder.inttoptr(builder.add(self.address, place), self.pointers)

    def read(self, pointer, offset, mask=None):
        """A vector of them as numbers."""
        return self.v.load_converted(self.kind, self.builder.gep(pointer, [offset]), mask)

    def ask(self, pointer, count):
        """Ask for the cache lines that hold so many numbers."""
        for place in range(0, count, CACHE_LINE // (self.kind.bitwidth // 8)):
            emit_prefetch(self.builder, self.builder.gep(pointer, [index_constant(place)]))


def _begun(context, builder, kinds, args):
    """The vectors, the rows of X, the scale, and where the other factor and C begin."""
    kind, rows, other, C = kinds
    v = Vectors(context, builder, C.dtype)
    order = element_pointer(context, builder, rows, args[1], index_constant(0))
    lines = _Rows(context, builder, v, args[0], order, args[2], kind.instance_type)
    scale = v.from_float64(args[3])
    places = (
        element_pointer(context, builder, one, args[i], args[i + 1])
        for i, one in ((4, other), (7, C))
    )
    return v, lines, scale, *places


@intrinsic(prefer_literal=True)
def _forward_tile(typingctx, X, rows, k0, scale, W, w, ldw, C, c, co, K, used, count, kind):
    """C[c + e + o co] += scale Σₖ X[rows[e], k0 + k] W[w + o ldw + k] for e < used, o < count."""
    tall, wide, counts = TALL[count.literal_value - 1], count.literal_value, (index,) * 4
    signature = void(X, rows, index, types.float64, W, index, index, C, *counts, count, kind)

    def codegen(context, builder, sig, args):
        v, lines, scale, w, c = _begun(context, builder, (kind, rows, W, C), args)
        tops = [clamp_index(builder, e, args[11]) for e in range(tall)]
        xs = [lines.pointer(e) for e in tops]
        ws = [builder.gep(w, [builder.mul(index_constant(o), args[6])]) for o in range(wide)]
        sums = accumulate_dots(builder, v, xs, ws, args[10], lines.read)
        columns = [builder.mul(index_constant(o), args[9]) for o in range(wide)]
        cells = [builder.gep(c, [builder.add(e, column)]) for e in tops for column in columns]
        starts = [builder.load(cell) for cell in cells]
        scaled = [builder.fmul(x, v.splat(scale)) for x in sums]
        store_totals(builder, v, scaled, starts, cells)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _backward_tile(
    typingctx, X, rows, k0, scale, D, d, ldd, C, c, ldc, m, ahead, count, wide, kind
):
    """C[c + i ldc + j] = scale Σₖ D[d + i ldd + k] X[rows[k], k0 + j], i < count, k < m.

    j goes over `wide` vectors. Asks for the features `ahead` before these, which come next: 12288 →
    7 and → 20 take 2 to 3 % less time so; for one output nothing, → 1 took 10 % more.
    """
    tall, vectors, counts = count.literal_value, wide.literal_value, (index,) * 4
    signature = void(X, rows, index, types.float64, D, index, index, C, *counts, count, wide, kind)

    def codegen(context, builder, sig, args):
        v, lines, scale, d, c = _begun(context, builder, (kind, rows, D, C), args)
        ds = [builder.gep(d, [builder.mul(index_constant(i), args[6])]) for i in range(tall)]
        k, sums, end = v.loop(args[10], 1, [v.zero] * (tall * vectors), once=True)
        sums, x = list(sums), lines.pointer(k)
        read = [lines.read(x, index_constant(j * v.lanes)) for j in range(vectors)]
        if tall > 1:
            lines.ask(builder.gep(x, [builder.neg(args[11])]), vectors * v.lanes)
        for i, pointer in enumerate(ds):
            factor = v.splat(builder.load(builder.gep(pointer, [k])))
            for j, line in enumerate(read, i * vectors):
                sums[j] = v.multiply_add(factor, line, sums[j])
        end(sums)
        rows_of_c = [builder.mul(index_constant(i), args[9]) for i in range(tall)]
        columns = [index_constant(j * v.lanes) for j in range(vectors)]
        cells = [builder.add(row, column) for row in rows_of_c for column in columns]
        for cell, x in zip(cells, sums, strict=True):
            v.store(builder.fmul(x, v.splat(scale)), c, cell)
        return context.get_dummy_value()

    return signature, codegen


@inlined
def line(op, state):
    """The factor and offset of an INPUT row that scales all features alike."""
    if op.stats == 0:
        return 1.0, 0.0
    low = np.float64(state[op.state]) + np.float64(state[op.state + 2])
    factor = np.float64(state[op.state + 1])
    return factor, op.offset - low * factor


def mark(X, op, state):
    """Return X's description, marked where X can be read where it lies; op: its INPUT row.

    Not where numbers are shifted, or scaled by so much, or scaled that lose digits in the network's
    dtype: sums of what is large or vanishes before would be wrong.
    """
    address, rows, columns, code = X
    if op["stats"] > 1 or code > BYTES or columns != 1 or op["n_out"] < FEWEST:
        return X
    if op["stats"]:
        low, factor, rest = (float(part[0]) for part in statistics(state, op))
        shifted = op["offset"] != (low + rest) * factor
        wide = abs(factor) * 255 > UNITS if code == BYTES else True
        far = code != BYTES and not 1 / FAR <= abs(factor) <= FAR
        if (shifted and wide) or far or (code == DOUBLE and state.itemsize == 4):
            return X
    return address, rows, columns, MARK + code


@inlined
def marked(X):
    """Tell whether X is read where it lies."""
    return X[3] >= MARK


@inlined
def tiles(n, outputs):
    """How many tiles rows of n features go in: as many for each half, for long rows each eighth."""
    if n < 2 * SPAN:
        return 1
    shares = PARTS if n >= PARTS * SPAN else 2
    longest = shares * (2 * SPAN if 2 * SPAN * outputs <= NUMBERS else SPAN)
    return (n + longest - 1) // longest * shares


@inlined
def span(n, outputs, tile):
    """Where a tile of n features begins and how many it has, whole vectors but in the last."""
    count = tiles(n, outputs)
    begin, end = n * tile // count // LANES * LANES, n * (tile + 1) // count // LANES * LANES
    return begin, n - begin if tile + 1 == count else end - begin


def _forward_of(dtype, count):
    """Return the kernel for X of a dtype and so many outputs."""
    kind, tall = dtype.type, TALL[count - 1]

    def forward(K, X, rows, k0, scale, offset, W, w, ldw, C, c, co):
        """C[c + e + o co] += Σₖ (scale X[rows[e], k0 + k] + offset) W[w + o ldw + k], o < count."""
        m = rows.size
        add_offset(count, K, offset, W, w, ldw, m, C, c, co)
        for e in range(0, m, tall):
            _forward_tile(
                X, view(rows, e, m - e), k0, scale, W, w, ldw, C, c + e, co, K, min(tall, m - e),
                count, kind,
            )  # fmt: skip

    return forward


def _backward_of(dtype, count):
    """Return the kernel for X of a dtype and so many outputs."""
    kind, wide = dtype.type, WIDE[count - 1]
    narrow = min(wide, 4)  # vectors that FEWEST features fill, of any CPU

    def backward(N, X, rows, k0, scale, offset, D, d, ldd, C, c, ldc):
        """C[c + o ldc + k] = Σⱼ D[d + o ldd + j] (scale X[rows[j], k0 + k] + offset), o < count.

        N, the count of k, is at least FEWEST; rows holds at least one. The last tile ends where
        the row does: where tiles overlap, the same is written again.
        """
        m, many, few = rows.size, wide * lane_count(C), narrow * lane_count(C)
        whole, ahead = N // many * many if wide > narrow else 0, min(k0, N)
        for j in range(0, whole, many):
            _backward_tile(
                X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, ahead, count, wide, kind
            )
        for k in range(whole, N, few):
            j = min(k, N - few)
            _backward_tile(
                X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, ahead, count, narrow, kind
            )
        add_offset(count, m, offset, D, d, ldd, N, C, c, ldc)

    return backward


def _each(kernel_of):
    """The kernels of all dtypes and counts of outputs, by what needs them."""
    counts = range(1, MOST + 1)
    return {_use(kind, count): kernel_of(kind, count) for kind in KINDS for count in counts}


_SIGNATURE = "i X I1 i f f F1 i i F1 i i"
_forward_by = indirect_each(_SIGNATURE, _each(_forward_of))
_backward_by = indirect_each(_SIGNATURE, in_training_each(_each(_backward_of)))


@inlined
def _shared(n, i):
    """The first of the outputs that the i-th tile of n outputs' computes: nearly as many each."""
    return n * i // ((n + MOST - 1) // MOST)


@inlined
def forward(table, op, n, N, X, rows, k0, state, W, w, ldw, C, c, ldc):
    """C[c + e + o ldc] += Σₖ X[rows[e], k0 + k] W[w + o ldw + k], o < n, k < N; X scaled by op."""
    scale, offset = line(op, state)
    first = X[3] % MARK * MOST - 1
    for i in range((n + MOST - 1) // MOST):
        o = _shared(n, i)
        _forward_by(
            table, first + _shared(n, i + 1) - o, N, X, rows, k0, scale, offset, W, w + o * ldw,
            ldw, C, c + o * ldc, ldc,
        )  # fmt: skip


@inlined
def backward(table, op, n, N, X, rows, k0, state, D, d, ldd, C, c, ldc):
    """C[c + o ldc + k] = Σⱼ D[d + o ldd + j] X[rows[j], k0 + k], o < n, k < N; X scaled by op."""
    scale, offset = line(op, state)
    first = X[3] % MARK * MOST - 1
    for i in range((n + MOST - 1) // MOST):
        o = _shared(n, i)
        _backward_by(
            table, first + _shared(n, i + 1) - o, N, X, rows, k0, scale, offset, D, d + o * ldd,
            ldd, C, c + o * ldc, ldc,
        )  # fmt: skip
