"""Products of few outputs over long rows: dot products with the lanes along what is summed.

Where a layer is wide on one side and narrow on the other, no part of it needs to be laid out
anew: rows of both factors are read as they lie.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
from ..codegen.simd import (
    INT32,
    Vectors,
    clamp_index,
    element_pointer,
    emit_phis,
    index,
    index_constant,
    void,
)
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined

#: Rows of X and of W that a tile holds: many outputs, few, two or one.
MANY, FEW = block_sizes().DOT_TILE_WIDE, block_sizes().DOT_TILE
TWO, ONE = block_sizes().DOT_TILE_TWO, block_sizes().DOT_TILE_ONE


def _tile(tall, wide):
    """Return the intrinsic that computes tall × wide dot products, or fewer.

    C[c + e ce + o co] = start + Σₖ X[x + e ldx + k] W[w + o ldw + k] for e < used, o < width.
    """

    @intrinsic
    def tile(typingctx, X, x, ldx, W, w, ldw, C, c, ce, co, K, used, width, add):
        number = C.dtype
        signature = void(X, index, index, W, index, index, C, index, index, index, *(index,) * 4)

        def codegen(context, builder, sig, args):
            x, w, c = (
                element_pointer(context, builder, (X, W, C)[i], args[p], args[p + 1])
                for i, p in enumerate((0, 3, 6))
            )
            ldx, ldw, ce, co, K, used, width, add = (*args[2:6:3], *args[8:])
            v = Vectors(context, builder, number)
            tops = [clamp_index(builder, e, used) for e in range(tall)]
            sides = [clamp_index(builder, o, width) for o in range(wide)]
            xs = [builder.gep(x, [builder.mul(e, ldx)]) for e in tops]
            ws = [builder.gep(w, [builder.mul(o, ldw)]) for o in sides]
            sums = accumulate(builder, v, xs, ws, K, v.read)
            cells = [
                builder.gep(c, [builder.add(builder.mul(e, ce), builder.mul(o, co))])
                for e in tops
                for o in sides
            ]
            adds = builder.icmp_signed("!=", add, index_constant(0))
            zero = v.zero.type.element(0.0)
            starts = [builder.select(adds, builder.load(cell), zero) for cell in cells]
            store_totals(builder, v, sums, starts, cells)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def store_totals(builder, v, sums, starts, cells):
    """Write what each cell starts from plus the lanes of its sum."""
    totals = []
    for i in range(0, len(sums), v.lanes):
        group = sums[i : i + v.lanes]
        packed = v.sums(group)
        totals += [builder.extract_element(packed, INT32(lane)) for lane in range(len(group))]
    # Rows beyond the edge repeat the last one, so all that is written twice is the same.
    for cell, start, total in zip(cells, starts, totals, strict=True):
        builder.store(builder.fadd(start, total), cell)


def accumulate(builder, v, xs, ws, K, read):
    """Vectors whose lanes add up to each dot product; the last numbers of K by mask.

    read(pointer, offset, mask) emits a load behind a pointer of xs; a mask of None: of all lanes.
    """
    count = builder.and_(K, index_constant(-v.lanes))
    sums = [v.zero] * (len(xs) * len(ws))
    before = builder.block
    some, tail = builder.append_basic_block("some"), builder.append_basic_block("tail")
    builder.cbranch(builder.icmp_signed(">", count, index_constant(0)), some, tail)
    builder.position_at_end(some)
    k, carried, end = v.loop(count, v.lanes, sums)
    carried = _step(v, [read(x, k, None) for x in xs], ws, k, None, carried)
    end(carried)
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
    ended = _step(v, [read(x, count, mask) for x in xs], ws, count, mask, whole)
    there = builder.block
    builder.branch(done)
    builder.position_at_end(done)
    return emit_phis(builder, v.type, whole, here, ended, there)


def _step(v, xs, ws, k, mask, sums):
    """The sums after one vector of every row; sums[e · wide + o]."""
    sums, wide = list(sums), len(ws)
    for o, w in enumerate(ws):
        vector = v.read(w, k, mask)
        for e, x in enumerate(xs):
            sums[e * wide + o] = v.multiply_add(x, vector, sums[e * wide + o])
    return sums


_many, _few, _two, _one = _tile(*MANY), _tile(*FEW), _tile(*TWO), _tile(*ONE)


@inlined
def _tiles(tile, tall, o, n, m, K, X, x, ldx, W, w, ldw, C, c, ce, co, add):
    """Tiles of one shape side by side: the outputs o … o+n−1 of all m rows."""
    for e in range(0, m, tall):
        tile(
            X, x + e * ldx, ldx, W, w + o * ldw, ldw, C, c + e * ce + o * co, ce, co,
            K, min(tall, m - e), n, add,
        )  # fmt: skip


@indirect("i i i F1 i i F1 i i F1 i i i i")
def multiply_inner(m, n, K, X, x, ldx, W, w, ldw, C, c, ce, co, add):
    """C[c + e ce + o co] = (add: itself +) Σₖ X[x + e ldx + k] W[w + o ldw + k], e < m, o < n."""
    o = 0
    while o < n:
        left = n - o
        if left > FEW[1]:
            left = min(left, MANY[1])
            _tiles(_many, MANY[0], o, left, m, K, X, x, ldx, W, w, ldw, C, c, ce, co, add)
        elif left > TWO[1]:
            _tiles(_few, FEW[0], o, left, m, K, X, x, ldx, W, w, ldw, C, c, ce, co, add)
        elif left == TWO[1]:
            _tiles(_two, TWO[0], o, left, m, K, X, x, ldx, W, w, ldw, C, c, ce, co, add)
        else:
            _tiles(_one, ONE[0], o, left, m, K, X, x, ldx, W, w, ldw, C, c, ce, co, add)
        o += left
