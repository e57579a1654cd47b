"""C (m, n) = X (m, K) Wᵀ by dot products of rows of X and W (n, K), with the vector lanes along K.

Rows of both factors are contiguous and neither has to be packed, which suits layers that are wide
on one side and narrow on the other.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
from ..codegen.simd import (
    INT32,
    Vectors,
    clamp_index,
    emit_matrix,
    emit_phis,
    index,
    index_constant,
    void,
)
from ..compiler.definitions import indirect

#: Sizes of the tiles of dot products that are computed together, each (rows of X, rows of W).
#: DOT_TILE_WIDE is used while more than DOT_TILE[1] rows of W are left, DOT_TILE for three or more,
#: DOT_TILE_TWO for two, DOT_TILE_ONE for one. All sums of a tile stay in vector registers.
DOT_TILE_WIDE, DOT_TILE = block_sizes().DOT_TILE_WIDE, block_sizes().DOT_TILE
DOT_TILE_TWO, DOT_TILE_ONE = block_sizes().DOT_TILE_TWO, block_sizes().DOT_TILE_ONE


def _as_loaded(v, x):
    """Return x, an LLVM vector."""
    return x


def dot_tile(n_X_rows, n_W_rows, convert=_as_loaded):
    """Return the intrinsic tile(X, W, C, first_e, first_o, n_e, n_o, K, accumulate).

    It computes n_X_rows × n_W_rows (ints) dot products of rows of X and of W and stores them in C.
    At an edge of C, where fewer rows are left, it computes the last row of X or W repeatedly.
    convert(v, x) emits what stands for each vector x of the rows; v: a Vectors.
    """

    @intrinsic
    def tile(typingctx, X, W, C, first_e, first_o, n_e, n_o, K, accumulate):
        """C[e, o] = Σₖ X[e, k] W[o, k], k < K, plus the old C[e, o] if accumulate is not 0.

        first_e ≤ e < first_e + n_e ≤ first_e + n_X_rows, first_o ≤ o < first_o + n_o ≤ first_o +
        n_W_rows; n_e, n_o > 0. X (m, K), W (n, K): each a Matrix; C (m, n): an Operand, written.
        """
        signature = void(X, W, C, *(index,) * 6)

        def codegen(context, builder, sig, args):
            (x_m, x), (w_m, w), (c_m, c) = (
                emit_matrix(context, builder, *each)
                for each in zip((X, W, C), args[:3], strict=True)
            )
            first_e, first_o, n_e, n_o, K, accumulates = args[3:]
            v = Vectors(context, builder, C.types[0].dtype)
            es = [builder.add(first_e, clamp_index(builder, e, n_e)) for e in range(n_X_rows)]
            os = [builder.add(first_o, clamp_index(builder, o, n_o)) for o in range(n_W_rows)]
            xs = [builder.gep(x, [builder.mul(e, x_m.ld)]) for e in es]
            ws = [builder.gep(w, [builder.mul(o, w_m.ld)]) for o in os]

            def load(pointer, offset, mask):
                return convert(v, v.load(pointer, offset, mask))

            sums = accumulate_dots(builder, v, xs, ws, K, load, load)
            columns = [builder.mul(o, c_m.column_stride) for o in os]
            rows = [builder.mul(e, c_m.row_stride) for e in es]
            offsets = [builder.add(row, column) for row in rows for column in columns]
            cells = [builder.gep(c, [offset]) for offset in offsets]
            zeros, before = [v.scalar(0.0)] * len(cells), builder.block
            with builder.if_then(builder.icmp_signed("!=", accumulates, index_constant(0))):
                loaded, there = [builder.load(cell) for cell in cells], builder.block
            starts = emit_phis(builder, v.scalar, zeros, before, loaded, there)
            store_totals(builder, v, sums, starts, cells)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def store_totals(builder, v, sums, starts, cells):
    """Emit, for all i, the store of starts[i] + (the sum of the lanes of sums[i]) to cells[i].

    v: a Vectors. Lists of one length: sums, LLVM vectors; starts, LLVM numbers; cells, LLVM
    pointers to elements of C.
    """
    totals = []
    for i in range(0, len(sums), v.lanes):
        group = sums[i : i + v.lanes]
        packed = v.sum_lanes(group)
        totals += [builder.extract_element(packed, INT32(lane)) for lane in range(len(group))]
    # At an edge of C rows repeat the last one: a cell may occur twice, with equal totals.
    for cell, start, total in zip(cells, starts, totals, strict=True):
        builder.store(builder.fadd(start, total), cell)


def accumulate_dots(builder, v, xs, ws, K, load, load_w=None):
    """Emit the dot products of each row x[e] with each row w[o]; return a list of LLVM vectors.

    The lanes of vector number e · len(ws) + o add up to Σₖ x[e][k] w[o][k] over k < K. v: a
    Vectors; xs, ws: lists of LLVM pointers to the rows' first elements; K: an LLVM int64.
    load(pointer, offset, mask) emits the load of the vector `offset` elements behind a pointer of
    xs, load_w of ws (None: v.load). mask: LLVM bits, one a lane, where 0 means "do not read, return
    0"; None: read all lanes.
    """
    load_w = load_w or v.load
    count = builder.and_(K, index_constant(-v.lanes))
    sums = [v.zero] * (len(xs) * len(ws))
    before = builder.block
    some, tail = builder.append_basic_block("some"), builder.append_basic_block("tail")
    builder.cbranch(builder.icmp_signed(">", count, index_constant(0)), some, tail)
    builder.position_at_end(some)
    k, carried, close = v.loop(count, v.lanes, sums)
    carried = _add_vectors(v, [load(x, k, None) for x in xs], ws, k, None, carried, load_w)
    close(carried)
    last = builder.block
    builder.branch(tail)
    builder.position_at_end(tail)
    whole = emit_phis(builder, v.type, sums, before, carried, last)
    rest = builder.sub(K, count)
    masked, done = builder.append_basic_block("masked"), builder.append_basic_block("done")
    here = builder.block
    builder.cbranch(builder.icmp_signed(">", rest, index_constant(0)), masked, done)
    builder.position_at_end(masked)
    mask = v.mask(builder.trunc(rest, INT32))
    ended = _add_vectors(v, [load(x, count, mask) for x in xs], ws, count, mask, whole, load_w)
    there = builder.block
    builder.branch(done)
    builder.position_at_end(done)
    return emit_phis(builder, v.type, whole, here, ended, there)


def _add_vectors(v, xs, ws, k, mask, sums, load):
    """Emit sums[e · len(ws) + o] + xs[e] · w[o] for all e and o, lane by lane; return the list.

    w[o] is the LLVM vector that begins k elements (an LLVM int64) behind the pointer ws[o]. v: a
    Vectors; sums, xs: lists of LLVM vectors. mask: LLVM bits, one a lane: where it is 0, w[o] is
    not read and taken as 0; None: all lanes are read. load: as load_w of `accumulate_dots`.
    """
    sums, n_ws = list(sums), len(ws)
    for o, w in enumerate(ws):
        vector = load(w, k, mask)
        for e, x in enumerate(xs):
            sums[e * n_ws + o] = v.multiply_add(x, vector, sums[e * n_ws + o])
    return sums


#: Intrinsics, the tiles of dot products that `multiply_inner` chooses from by the number of rows of
#: W that are left: more than DOT_TILE[1], three or more, two, one.
_wide, _few = dot_tile(*DOT_TILE_WIDE), dot_tile(*DOT_TILE)
_two, _one = dot_tile(*DOT_TILE_TWO), dot_tile(*DOT_TILE_ONE)


@indirect("i i i Matrix Matrix Operand i")
def multiply_inner(m, n, K, X, W, C, accumulate):
    """C[e, o] = Σₖ X[e, k] W[o, k], e < m, o < n, plus the old C[e, o] if accumulate is 1, not 0.

    X (m, K), W (n, K): each a Matrix. C (m, n) out: an Operand, whose two strides let it be written
    row by row or column by column.
    """
    o = 0
    while o < n:
        left = n - o
        if left > DOT_TILE[1]:
            left = min(left, DOT_TILE_WIDE[1])
            for e in range(0, m, DOT_TILE_WIDE[0]):
                _wide(X, W, C, e, o, min(DOT_TILE_WIDE[0], m - e), left, K, accumulate)
        elif left > DOT_TILE_TWO[1]:
            for e in range(0, m, DOT_TILE[0]):
                _few(X, W, C, e, o, min(DOT_TILE[0], m - e), left, K, accumulate)
        elif left == DOT_TILE_TWO[1]:
            for e in range(0, m, DOT_TILE_TWO[0]):
                _two(X, W, C, e, o, min(DOT_TILE_TWO[0], m - e), left, K, accumulate)
        else:
            for e in range(0, m, DOT_TILE_ONE[0]):
                _one(X, W, C, e, o, min(DOT_TILE_ONE[0], m - e), left, K, accumulate)
        o += left
