"""C (M, N) = r(A) r(B): products of factors rounded to bfloat16, with sums and C in float32.

Both factors are packed as pairs along K, block by block, in which they are also rounded
(`bfloat16_packing`); tiles then add two products at a time. Each element of C is one chain of
additions along K, whatever tile it belongs to: no result depends on its neighbours or on how the
rows and columns are shared out.
"""

from __future__ import annotations

from ..codegen.bfloat16 import PAIR_MR, PAIR_NR_VECTORS, add_products_of_pairs
from ..codegen.cpu import block_sizes
from ..compiler.definitions import indirect
from ..compiler.jit import inlined
from ..records import BETA_ONE, Beta, Epilogue, Matrix, Operand
from ..requirements import ROUNDED
from .bfloat16_packing import pack_left, pack_right
from .epilogue import EPILOGUE_NONE
from .microkernel import Tile, tile_intrinsic
from .packing import lane_count

_sizes = block_sizes()
#: Sizes of the blocks into which M, K and N are cut: PAIR_MC rows of A, PAIR_KC pairs, which are
#: twice as many rows of B, and PAIR_NC columns of B.
PAIR_MC, PAIR_KC, PAIR_NC = _sizes.PAIR_MC, _sizes.PAIR_KC, _sizes.PAIR_NC


class _PairTile(Tile):
    """Emits a tile of C, as `Tile` does, from packed pairs; K counts them."""

    def add_product(self, factor, x, sums):
        """Emit sums + the products of the two numbers of each pair."""
        return add_products_of_pairs(self.v, factor, x, sums)


#: Intrinsics, the tiles that `_column_of_tiles` chooses from: as many rows and vectors as fill the
#: registers, one row of them; fewer vectors; one vector of twice as many rows.
_wide, _wide_1_row = (tile_intrinsic(n, PAIR_NR_VECTORS, _PairTile) for n in (PAIR_MR, 1))
_three_vectors, _two_vectors = (tile_intrinsic(PAIR_MR, n, _PairTile) for n in (3, 2))
_one_vector = tile_intrinsic(2 * PAIR_MR, 1, _PairTile)


@inlined
def _column_of_tiles(A, B, C, beta, epilogue, Q, M, width):
    """C (M, width) = epilogue(start + Σ over both numbers of Q pairs), one tile below the next.

    Arguments as of `multiply_pairs`, B one panel, which is as wide as a tile.
    """
    lanes = lane_count(C.data)
    tall = 2 * PAIR_MR if width <= lanes else PAIR_MR
    for i in range(0, M, tall):
        n = min(tall, M - i)
        if width <= lanes:
            _one_vector(A, B, C, beta, epilogue, i, Q, n, width)
        elif PAIR_NR_VECTORS > 2 and width <= 2 * lanes:
            _two_vectors(A, B, C, beta, epilogue, i, Q, n, width)
        elif PAIR_NR_VECTORS > 3 and width <= 3 * lanes:
            _three_vectors(A, B, C, beta, epilogue, i, Q, n, width)
        elif n > 1:
            _wide(A, B, C, beta, epilogue, i, Q, n, width)
        else:
            _wide_1_row(A, B, C, beta, epilogue, i, Q, n, width)


@indirect("i i i Operand Matrix Matrix Beta Epilogue", requires=ROUNDED)
def multiply_pairs(M, N, Q, A, B, C, beta, epilogue):
    """C (M, N) = epilogue(start + Σ over both numbers of the Q pairs of a row and a column).

    A: an Operand, element (i, q) a pair. B: a Matrix, the first of the panels of (Q, ld) pairs,
    which begin PAIR_KC · ld apart. C: a Matrix, written; beta, epilogue: as for `multiply_tiles`.
    """
    for j in range(0, N, B.ld):
        _column_of_tiles(
            A, Matrix(B.data, B.offset + j * PAIR_KC, B.ld),
            Matrix(C.data, C.offset + j, C.ld), beta,
            Epilogue(epilogue.kind, epilogue.mask_offset + j, epilogue.mask_scale),
            Q, M, min(B.ld, N - j),
        )  # fmt: skip


@inlined
def _pack_block_of_A(kernel_ptrs, A, i, height, k, depth, packed):
    """Pack A[i : i + height, k : k + depth] behind B's block in packed; return it, an Operand."""
    p, row_stride, column_stride = PAIR_NC * PAIR_KC, PAIR_KC, 1
    if A.column_stride != 1:
        row_stride, column_stride = 1, PAIR_MC
    offset = A.offset + i * A.row_stride + k * A.column_stride
    pack_left(
        kernel_ptrs, height, depth, Operand(A.data, offset, A.row_stride, A.column_stride),
        packed, p, row_stride, column_stride,
    )  # fmt: skip
    return Operand(packed, p, row_stride, column_stride)


@indirect("T i i i Operand Operand Matrix Beta Epilogue F1", requires=ROUNDED, entrance=True)
def multiply_rounded(kernel_ptrs, M, N, K, A, B, C, beta, epilogue, packed):
    """C (M, N) = epilogue(start + r(A) r(B)), A (M, K), B (K, N), r: rounded to bfloat16; K > 0.

    A, B: each an Operand, one of whose strides is 1; C: a Matrix, written to exactly N columns.
    beta: a Beta, which says whether start is 0, the old C[i, j] or a bias of row i. epilogue: an
    Epilogue. packed: scratch of `codegen.cpu.pair_pack_size()` numbers.
    """
    width = PAIR_NR_VECTORS * lane_count(C.data)
    for j in range(0, N, PAIR_NC):
        n = min(PAIR_NC, N - j)
        for k in range(0, K, 2 * PAIR_KC):
            depth = min(2 * PAIR_KC, K - k)
            mode = beta.mode if k == 0 else BETA_ONE
            kind = epilogue.kind if k + depth == K else EPILOGUE_NONE
            offset = B.offset + k * B.row_stride + j * B.column_stride
            B_block = Operand(B.data, offset, B.row_stride, B.column_stride)
            pack_right(kernel_ptrs, depth, n, B_block, packed, width, width * PAIR_KC)
            for i in range(0, M, PAIR_MC):
                height, start = min(PAIR_MC, M - i), i * C.ld + j
                A_block = _pack_block_of_A(kernel_ptrs, A, i, height, k, depth, packed)
                multiply_pairs(
                    kernel_ptrs, height, n, (depth + 1) // 2, A_block, Matrix(packed, 0, width),
                    Matrix(C.data, C.offset + start, C.ld),
                    Beta(mode, beta.bias, beta.bias_offset + i),
                    Epilogue(kind, epilogue.mask_offset + start, epilogue.mask_scale),
                )  # fmt: skip
