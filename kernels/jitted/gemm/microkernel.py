"""Matrix products in tiles: C (+)= A B with the rows of B and C on the vector lanes.

A tile keeps its part of C in registers, broadcasts the numbers of A and streams the rows of B. Each
number of C is one chain of multiply-adds in the order of k, whatever tile it lies in: so a result
depends neither on its neighbours nor on how the work is cut.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
from ..codegen.simd import (
    INT32,
    Vectors,
    clamp_index,
    element_pointer,
    index,
    index_constant,
    void,
)
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from .packing import lane_count
from .small_k import BETA_BIAS, BETA_ONE, Epilogue, begins, multiply_small_k

SIZES = block_sizes()

#: Rows and vectors of C that a tile holds; with a row of B and a broadcast they fill the registers.
MR, NR_VECTORS = SIZES.MR, SIZES.NR_VECTORS
MR_TALL = 2 * MR  # rows of a tile of one vector: with fewer, each sum would wait for the last
NR_MAX = SIZES.NR_MAX  # numbers of a row that a tile is at most wide
KC = SIZES.KC  # rows of B that a tile takes at a time

#: Most rows of B for `multiply_small_k`: for one row of C, for SMALL_K_MAX_M rows, for more.
SMALL_K_MAX_ONE_ROW = SIZES.SMALL_K_MAX_ONE_ROW
SMALL_K_MAX = SIZES.SMALL_K_MAX
SMALL_K_MAX_MANY_ROWS = SIZES.SMALL_K_MAX_MANY_ROWS
SMALL_K_MAX_M = SIZES.SMALL_K_MAX_M


def _tile(rows, vectors):
    """Return the intrinsic that computes `rows` rows and `vectors` vectors of C, or fewer.

    C[c + i ldc + j] = start + Σₖ A[a + i rs + k cs] B[b + k ldb + j] for i < used, j < width;
    start as told by `begin`; at the end what `end` says, the gate being C[g + i ldc + j].
    """

    @intrinsic
    def tile(
        typingctx, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, K, used, width, begin, end, g, by
    ):
        ints = (index,) * 7
        signature = void(A, *ints[:3], B, index, index, C, index, index, bias, *ints, types.float64)

        def codegen(context, builder, sig, args):
            a, b, c = begins(context, builder, (A, B, C), args)
            rs, cs, ldb, ldc = args[2], args[3], args[6], args[9]
            biases = element_pointer(context, builder, bias, args[10], args[11])
            K, used, width, begin, end, g, by = args[12:]
            v = Vectors(context, builder, C.dtype)
            end = Epilogue(builder, v, element_pointer(context, builder, C, args[7], g), by, end)
            places = [clamp_index(builder, i, used) for i in range(rows)]
            columns = [index_constant(j * v.lanes) for j in range(vectors)]
            across = [builder.mul(i, rs) for i in places]
            down = [builder.mul(i, ldc) for i in places]
            full = builder.icmp_signed(">=", width, index_constant(vectors * v.lanes))
            masks = _masks(builder, v, width, columns)
            cells = [[builder.add(d, j) for j in columns] for d in down]
            sums = _start(builder, v, c, cells, masks, full, biases, places, begin)
            sums = _added(builder, v, sums, a, b, across, columns, (K, cs, ldb))
            sums = end(sums, [cell for line in cells for cell in line])
            _finish(builder, v, c, cells, masks, full, width, sums)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _added(builder, v, sums, a, b, across, columns, steps):
    """The sums with all K products; across, columns: places of rows of A, of vectors of B."""
    K, cs, ldb = steps
    _, carried, close = v.loop(K, 1, [x for line in sums for x in line] + [a, b], once=True)
    sums, a, b = list(carried[:-2]), carried[-2], carried[-1]
    line = [v.load(b, j) for j in columns]
    for i, row in enumerate(across):
        factor = v.splat(builder.load(builder.gep(a, [row])))
        for j, x in enumerate(line, i * len(line)):
            sums[j] = v.multiply_add(factor, x, sums[j])
    close([*sums, builder.gep(a, [cs]), builder.gep(b, [ldb])])
    return sums


def _masks(builder, v, width, columns):
    """Which lanes of each vector lie inside of C."""
    return [v.mask(builder.trunc(builder.sub(width, j), INT32)) for j in columns]


def _start(builder, v, c, cells, masks, full, biases, places, begin):
    """What the sums start from: zero, C or the biases."""
    rows, vectors = len(cells), len(masks)
    zero = [[v.zero] * vectors for _ in range(rows)]
    before = builder.block
    filled, added = builder.append_basic_block("biases"), builder.append_basic_block("add")
    whole, edge = builder.append_basic_block("whole"), builder.append_basic_block("edge")
    ready = builder.append_basic_block("ready")
    chosen = builder.switch(begin, ready)
    chosen.add_case(index_constant(BETA_BIAS), filled)
    chosen.add_case(index_constant(BETA_ONE), added)
    builder.position_at_end(filled)
    first = [[v.splat(builder.load(builder.gep(biases, [i])))] * vectors for i in places]
    builder.branch(ready)
    builder.position_at_end(added)
    builder.cbranch(full, whole, edge)
    builder.position_at_end(whole)
    second = [[v.load(c, cell) for cell in line] for line in cells]
    builder.branch(ready)
    builder.position_at_end(edge)
    third = [
        [v.load_masked(c, cell, mask) for cell, mask in zip(line, masks, strict=True)]
        for line in cells
    ]
    builder.branch(ready)
    builder.position_at_end(ready)
    starts = []
    for i in range(rows):
        starts.append([builder.phi(v.type) for _ in range(vectors)])
        for j, phi in enumerate(starts[-1]):
            for values, block in ((zero, before), (first, filled), (second, whole), (third, edge)):
                phi.add_incoming(values[i][j], block)
    return starts


def _finish(builder, v, c, cells, masks, full, width, sums):
    """Write C. Where it ends inside of the tile only its last vector goes by mask, which is slow.

    Rows beyond the edge repeat the last one, so all that is written twice is the same.
    """
    vectors = len(masks)
    with builder.if_else(full) as (inside, outside):
        with inside:
            for x, cell in zip(sums, [cell for line in cells for cell in line], strict=True):
                v.store(x, c, cell)
        with outside:
            for j, mask in enumerate(masks):
                column = [(sums[i * vectors + j], line[j]) for i, line in enumerate(cells)]
                some = builder.icmp_signed("<", index_constant(j * v.lanes), width)
                all_ = builder.icmp_signed("<=", index_constant((j + 1) * v.lanes), width)
                with builder.if_then(some), builder.if_else(all_) as (whole, part):
                    with whole:
                        for x, cell in column:
                            v.store(x, c, cell)
                    with part:
                        for x, cell in column:
                            v.store_masked(x, c, cell, mask)


_whole, _few, _one = (_tile(rows, NR_VECTORS) for rows in (MR, 3, 1))
_half, _tall, _line, _dot = _tile(MR, 2), _tile(MR_TALL, 1), _tile(MR, 1), _tile(1, 1)


@inlined
def _column_of_tiles(
    A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, K, rows, width, begin, end, g, by
):  # fmt: skip
    """Tiles above each other, as wide as a tile is, as two vectors or as one."""
    tall = MR_TALL if width <= lane_count(C) else MR
    for i in range(0, rows, tall):
        u, v, w, n, t = a + i * rs, c + i * ldc, o + i, min(tall, rows - i), g + i * ldc
        if width > 2 * lane_count(C):
            if n > 3:
                _whole(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)
            elif n > 1:
                _few(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)
            else:
                _one(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)
        elif width > lane_count(C):
            _half(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)
        elif n > MR:
            _tall(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)
        elif n > 1:
            _line(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)
        else:
            _dot(A, u, rs, cs, B, b, ldb, C, v, ldc, bias, w, K, n, width, begin, end, t, by)


@indirect("i i i F1 i i i F1 i i F1 i i F1 i i i i f", requires="tiles")
def multiply(M, N, K, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, begin, end, g, by):
    """C[c:] (M, N) = start + A[a:] (M, K) B[b:] (K, N), rows ldc and ldb apart.

    A number of A stands at a + i rs + k cs. B is read up to whole tiles, C written to N exactly.
    begin: ZERO, ADD (to C), BIAS (bias[o + i] a row). end: FLOOR (relu), GATE (C times `by` where
    C[g + i ldc + j] > 0, else 0: relu on the way back), 0. K = 0 is left out.
    """
    panel = NR_VECTORS * lane_count(C)
    few = SMALL_K_MAX if M <= SMALL_K_MAX_M else SMALL_K_MAX_MANY_ROWS
    few = SMALL_K_MAX_ONE_ROW if M == 1 else few
    if few >= K and N % lane_count(C) == 0:
        multiply_small_k(M, N, K, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, begin, end, g, by)
        return
    for k in range(0, K, KC):
        depth = min(KC, K - k)
        start = begin if k == 0 else BETA_ONE
        last = end if k + depth == K else 0
        for j in range(0, N, panel):
            _column_of_tiles(
                A, a + k * cs, rs, cs, B, b + k * ldb + j, ldb, C, c + j, ldc, bias, o, depth, M,
                N - j, start, last, g + j, by,
            )  # fmt: skip
