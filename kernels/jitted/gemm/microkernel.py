"""The micro-kernel: C (M, N) = A (M, K) B (K, N) in register tiles, with the vector lanes along N.

A tile keeps MR rows of NR_VECTORS vectors of C in registers. For each k it loads a row of B and
adds its product with A[i, k], broadcast to all lanes, to each row i of the tile. Each element of C
is one chain of multiply-adds in the order of k, whatever tile it belongs to: no result depends on
its neighbours or on how the work is cut.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
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
from ..compiler.definitions import indirect
from ..compiler.jit import inlined
from ..records import BETA_BIAS, BETA_ONE, Beta, Epilogue, Matrix, Operand
from .epilogue import EPILOGUE_NONE, EpilogueEmitter
from .packing import lane_count
from .small_k import multiply_small_k

_sizes = block_sizes()
#: Size of a tile of C: MR rows of NR_VECTORS vectors. Its sums, a row of B and an element of A in
#: all lanes of a vector fill the vector registers.
MR, NR_VECTORS = _sizes.MR, _sizes.NR_VECTORS
#: Rows of a tile that is one vector wide: MR sums would be too few to hide the latency of
#: multiply-adds, each of which waits for the one before it in its chain.
MR_TALL = 2 * MR
NR_MAX = _sizes.NR_MAX  # most elements in a row of a tile, over all instruction sets and dtypes
KC_TILE = _sizes.KC_TILE  # rows of B that a tile adds up in one pass
#: Largest K with which `multiply_small_k` computes C instead of tiles, which then take longer:
#: SMALL_K_MAX_ONE_ROW if C has one row, SMALL_K_MAX if it has 2 … SMALL_K_MAX_M rows,
#: SMALL_K_MAX_MANY_ROWS if it has more. The measurement stands in `codegen/cpu.py`.
SMALL_K_MAX_ONE_ROW = _sizes.SMALL_K_MAX_ONE_ROW
SMALL_K_MAX = _sizes.SMALL_K_MAX
SMALL_K_MAX_MANY_ROWS = _sizes.SMALL_K_MAX_MANY_ROWS
SMALL_K_MAX_M = _sizes.SMALL_K_MAX_M


class Tile:
    """Emits the computation of a tile of C: rows row … row + n_rows − 1, columns 0 … width − 1.

    kinds: the Numba types of A, B and C; args: the LLVM values of all arguments of `tile`; shape:
    ints, (rows, vectors of a row) of a full tile. The code is that of a full tile. Where n_rows is
    less, the last row is computed again in place of the missing ones; columns from `width` on are
    computed but not stored.
    """

    def __init__(self, context, builder, kinds, args, shape):
        self.context, self.builder = context, builder
        self.kind_of_C = kinds[2].types[0]
        self.v = v = Vectors(context, builder, self.kind_of_C.dtype)
        (self.A, a), (self.B, b), (self.C, c) = (
            emit_matrix(context, builder, *each) for each in zip(kinds[:3], args[:3], strict=True)
        )
        self.row, self.K, self.n_rows, self.width = args[5:]
        self.C_row_offset = builder.mul(self.row, self.C.ld)
        self.a = builder.gep(a, [builder.mul(self.row, self.A.row_stride)])
        self.b, self.c = b, builder.gep(c, [self.C_row_offset])
        n_tile_rows, n_vectors = shape
        self.rows = [clamp_index(builder, i, self.n_rows) for i in range(n_tile_rows)]
        self.columns = [index_constant(j * v.lanes) for j in range(n_vectors)]
        starts = [builder.mul(i, self.C.ld) for i in self.rows]
        self.offsets = [[builder.add(start, j) for j in self.columns] for start in starts]
        self.is_full = builder.icmp_signed(">=", self.width, index_constant(n_vectors * v.lanes))
        self.masks = [
            v.mask(builder.trunc(builder.sub(self.width, j), INT32)) for j in self.columns
        ]

    def flat_offsets(self):
        """Return a list of LLVM int64: where each vector of the tile begins in C, row by row.

        They count elements from the start of the tile's first row.
        """
        return [offset for row in self.offsets for offset in row]

    def start(self, kind, value):
        """Emit and return a list of LLVM vectors that the sums start from, row by row of the tile.

        They hold 0, the old C or the bias of each row. kind, value: Numba type and LLVM value of
        the Beta that says which.
        """
        builder, v, beta = self.builder, self.v, emit_record(self.builder, kind, value)
        n_vectors = len(self.columns)
        bias_offset = builder.add(beta.bias_offset, self.row)
        biases = element_pointer(self.context, builder, kind.types[1], beta.bias, bias_offset)
        zero, before = [[v.zero] * n_vectors for _ in self.rows], builder.block
        names = ("bias", "add", "full", "edge", "ready")
        bias, add, full, edge, ready = (builder.append_basic_block(name) for name in names)
        switch = builder.switch(beta.mode, ready)
        switch.add_case(index_constant(BETA_BIAS), bias)
        switch.add_case(index_constant(BETA_ONE), add)
        builder.position_at_end(bias)
        of_bias = [[v.splat(builder.load(builder.gep(biases, [i])))] * n_vectors for i in self.rows]
        builder.branch(ready)
        builder.position_at_end(add)
        builder.cbranch(self.is_full, full, edge)
        builder.position_at_end(full)
        of_full = [[v.load(self.c, offset) for offset in row] for row in self.offsets]
        builder.branch(ready)
        builder.position_at_end(edge)
        of_edge = [
            [v.load(self.c, offset, mask) for offset, mask in zip(row, self.masks, strict=True)]
            for row in self.offsets
        ]
        builder.branch(ready)
        builder.position_at_end(ready)
        sources = (zero, before), (of_bias, bias), (of_full, full), (of_edge, edge)
        return self._merge(sources)

    def _merge(self, sources):
        """Emit a phi for each vector of the tile; return the list of them, row by row.

        sources: pairs (vectors, block), one for each case of `start`: 0, bias, old C, old C at an
        edge. vectors[i][j] is vector j of row i; block is the LLVM block that control comes from.
        """
        starts = []
        for i in range(len(self.rows)):
            for j in range(len(self.columns)):
                starts.append(self.builder.phi(self.v.type))
                for vectors, block in sources:
                    starts[-1].add_incoming(vectors[i][j], block)
        return starts

    def add_products(self, sums):
        """Emit s[i, j] + Σₖ A[row + i, k] B[k, j], k < K, for the whole tile; K > 0.

        sums: the list of LLVM vectors that hold s, row by row; returns the list of the new ones.
        """
        builder, v = self.builder, self.v
        A_rows = [builder.mul(i, self.A.row_stride) for i in self.rows]
        _, carried, close = v.loop(self.K, 1, [*sums, self.a, self.b], once=True)
        *sums, a, b = carried
        B_row = [v.load(b, j) for j in self.columns]
        for i, A_row in enumerate(A_rows):
            factor = v.splat(builder.load(builder.gep(a, [A_row])))
            for j, x in enumerate(B_row, i * len(B_row)):
                sums[j] = self.add_product(factor, x, sums[j])
        close([*sums, builder.gep(a, [self.A.column_stride]), builder.gep(b, [self.B.ld])])
        return sums

    def add_product(self, factor, x, sums):
        """Emit sums + factor · x, three LLVM vectors."""
        return self.v.multiply_add(factor, x, sums)

    def store(self, sums):
        """Emit the stores of the tile into C. sums: its LLVM vectors, row by row.

        If C ends inside the tile, only the last vector of a row is stored by mask, lane by lane,
        which is slow. Where n_rows is less than a full tile's, the last row is stored repeatedly.
        """
        builder, v = self.builder, self.v
        with builder.if_else(self.is_full) as (full, edge):
            with full:
                for x, offset in zip(sums, self.flat_offsets(), strict=True):
                    v.store(x, self.c, offset)
            with edge:
                for j, mask in enumerate(self.masks):
                    column = [
                        (sums[i * len(self.masks) + j], row[j])
                        for i, row in enumerate(self.offsets)
                    ]
                    self._store_column(column, j, mask)

    def _store_column(self, column, j, mask):
        """Emit the stores of vector j (an int) of every row, as far as column `width` − 1.

        column: for each row a pair (LLVM vector, its offset from the tile's first row in elements).
        mask: LLVM bits, 1 for the lanes below `width`; it is used only if `width` ends inside the
        vector.
        """
        builder, v = self.builder, self.v
        some = builder.icmp_signed("<", index_constant(j * v.lanes), self.width)
        all_lanes = builder.icmp_signed("<=", index_constant((j + 1) * v.lanes), self.width)
        with builder.if_then(some), builder.if_else(all_lanes) as (whole, part):
            with whole:
                for x, offset in column:
                    v.store(x, self.c, offset)
            with part:
                for x, offset in column:
                    v.store_masked(x, self.c, offset, mask)


def tile_intrinsic(n_tile_rows, n_vectors, emitter=Tile):
    """Return the intrinsic tile(A, B, C, beta, epilogue, row, K, n_rows, width).

    It computes a tile of C of n_tile_rows rows and n_vectors vectors in each row (ints), or the
    part of it that lies in C. emitter: `Tile`, or a class derived of it.
    """

    @intrinsic
    def tile(typingctx, A, B, C, beta, epilogue, row, K, n_rows, width):
        """C[i, j] = epilogue(start + Σₖ A[i, k] B[k, j]) for row ≤ i < row + n_rows, j < width.

        k < K; 1 ≤ n_rows ≤ n_tile_rows; columns beyond n_vectors vectors are not computed. A: an
        Operand; B, C: each a Matrix, C written. beta: a Beta, which says whether start is 0, the
        old C[i, j] or a bias of row i. epilogue: an Epilogue.
        """
        signature = void(A, B, C, beta, epilogue, index, index, index, index)

        def codegen(context, builder, sig, args):
            tile = emitter(context, builder, (A, B, C), args, (n_tile_rows, n_vectors))
            finish = EpilogueEmitter(
                context, builder, tile.v, tile.kind_of_C, tile.C.data, (epilogue, args[4]),
                tile.C_row_offset,
            )  # fmt: skip
            sums = tile.add_products(tile.start(beta, args[3]))
            tile.store(finish(sums, tile.flat_offsets()))
            return context.get_dummy_value()

        return signature, codegen

    return tile


#: Intrinsics, the tiles that `_column_of_tiles` chooses from. A row of a _wide tile has NR_VECTORS
#: vectors.
_wide, _wide_3_rows, _wide_1_row = (tile_intrinsic(n_rows, NR_VECTORS) for n_rows in (MR, 3, 1))
_three_vectors, _two_vectors = tile_intrinsic(MR, 3), tile_intrinsic(MR, 2)
_one_vector, _one_vector_tall = tile_intrinsic(MR, 1), tile_intrinsic(MR_TALL, 1)
_one_vector_1_row = tile_intrinsic(1, 1)


@inlined
def _column_of_tiles(A, B, C, beta, epilogue, K, M, width):
    """C (M, width) = epilogue(start + A (M, K) B (K, width)), one tile below the next.

    A: an Operand; B, C: each a Matrix, C written. beta: a Beta, which says whether start is 0, the
    old C[i, j] or a bias of row i. epilogue: an Epilogue. Columns of C beyond NR_VECTORS vectors
    are not computed; for fewer columns tiles of one, two or three vectors a row are taken.
    """
    lanes = lane_count(C.data)
    tall = MR_TALL if width <= lanes else MR
    for i in range(0, M, tall):
        n = min(tall, M - i)
        if NR_VECTORS > 3 and 2 * lanes < width <= 3 * lanes:
            _three_vectors(A, B, C, beta, epilogue, i, K, n, width)
        elif width > 2 * lanes:
            if n > 3:
                _wide(A, B, C, beta, epilogue, i, K, n, width)
            elif n > 1:
                _wide_3_rows(A, B, C, beta, epilogue, i, K, n, width)
            else:
                _wide_1_row(A, B, C, beta, epilogue, i, K, n, width)
        elif width > lanes:
            _two_vectors(A, B, C, beta, epilogue, i, K, n, width)
        elif n > MR:
            _one_vector_tall(A, B, C, beta, epilogue, i, K, n, width)
        elif n > 1:
            _one_vector(A, B, C, beta, epilogue, i, K, n, width)
        else:
            _one_vector_1_row(A, B, C, beta, epilogue, i, K, n, width)


@indirect("i i i Operand Matrix Matrix Beta Epilogue", requires="tiles")
def multiply_tiles(M, N, K, A, B, C, beta, epilogue):
    """C (M, N) = epilogue(start + A (M, K) B (K, N)), K > 0.

    A: an Operand; B, C: each a Matrix, C written. beta: a Beta, which says whether start is 0, the
    old C[i, j] or a bias of row i. epilogue: an Epilogue: nothing, relu or relu's gradient. C is
    written to exactly N columns, but rows of B are read beyond N, up to the width of a tile. For
    small K, if N is a multiple of the lanes, `multiply_small_k` computes equal bits in less time.
    """
    lanes = lane_count(C.data)
    max_k = SMALL_K_MAX if M <= SMALL_K_MAX_M else SMALL_K_MAX_MANY_ROWS
    max_k = SMALL_K_MAX_ONE_ROW if M == 1 else max_k
    if max_k >= K and N % lanes == 0:
        multiply_small_k(M, N, K, A, B, C, beta, epilogue)
        return
    for k in range(0, K, KC_TILE):
        depth = min(KC_TILE, K - k)
        mode = beta.mode if k == 0 else BETA_ONE
        kind = epilogue.kind if k + depth == K else EPILOGUE_NONE
        for j in range(0, N, NR_VECTORS * lanes):
            _column_of_tiles(
                Operand(A.data, A.offset + k * A.column_stride, A.row_stride, A.column_stride),
                Matrix(B.data, B.offset + k * B.ld + j, B.ld),
                Matrix(C.data, C.offset + j, C.ld),
                Beta(mode, beta.bias, beta.bias_offset),
                Epilogue(kind, epilogue.mask_offset + j, epilogue.mask_scale),
                depth, M, N - j,
            )  # fmt: skip
