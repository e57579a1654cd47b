"""The macro-kernel: products of whole matrices in blocks that stay in the caches.

Loops over NC columns of B, KC rows of B and MC rows of A surround the micro-kernel, as in BLIS; the
packed panel of B is as wide as a tile and stays in the second-level cache.
"""

from __future__ import annotations

from ..codegen.cpu import block_sizes
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from ..records import Beta, Epilogue, Matrix, Operand
from .epilogue import BETA_ONE, EPILOGUE_NONE
from .inner_product import multiply_inner
from .microkernel import KC, NR_VECTORS, multiply_tiles
from .packing import lane_count, pack_panel, transpose

_sizes = block_sizes()
MC, KC_LARGE, NC = _sizes.MC, _sizes.KC_LARGE, _sizes.NC  # rows of A and B, columns of B in a block
KC_LARGE_MIN_M = _sizes.KC_LARGE_MIN_M  # rows of C from which on a block has KC_LARGE rows of B
MAX_M_UNPACKED = _sizes.MAX_M_UNPACKED  # rows of C up to which a row-major B is not packed
MIN_STRIDE_PACK_A = _sizes.MIN_STRIDE_PACK_A  # bytes between columns of A from which on A is packed
MAX_N_DOT = _sizes.MAX_N_DOT  # columns of C up to which C or Cᵀ is dot products
MAX_M_DOT = _sizes.MAX_M_DOT  # rows of C up to which it is dot products where B is column-major
MIN_K_DOT = _sizes.MIN_K_DOT  # terms of a sum from which on it is a dot product
PACK_SIZE = NC * KC_LARGE + MC * KC_LARGE  # elements of the packed blocks of B and A


@inlined
def _block_of_A(kernel_ptrs, A, i, k, height, depth, packs, packed, p):
    """Return A[i : i + height, k : k + depth], as it is or packed at packed[p:], ld KC_LARGE."""
    data, offset = A.data, A.offset + i * A.row_stride + k * A.column_stride
    row_stride, column_stride = A.row_stride, A.column_stride
    if packs:
        transpose(kernel_ptrs, depth, height, data, offset, column_stride, packed, p, KC_LARGE, 1)
        data, offset, row_stride, column_stride = packed, p, KC_LARGE, 1
    return Operand(data, offset, row_stride, column_stride)


@indirect("T i i i Operand Operand Matrix i F1 i", requires="product")
def multiply_blocked(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed, p):
    """C (M, N) = (C +) A (M, K) B (K, N), each of A and B row-major or column-major.

    beta_mode: BETA_ZERO or BETA_ONE. packed[p:] is scratch: KC_LARGE elements for each column of a
    whole tile, for up to NC columns, and PACK_SIZE in all where A is packed.
    """
    lanes = lane_count(C.data)
    width = NR_VECTORS * lanes
    packs_A = A.row_stride == 1 and A.column_stride * A.data.itemsize >= MIN_STRIDE_PACK_A
    kc = KC_LARGE if M >= KC_LARGE_MIN_M else KC
    mc = MC if packs_A or width < N or KC < K else M
    for left in range(0, N, NC):
        right = min(left + NC, N)
        for k in range(0, K, kc):
            depth, mode = min(kc, K - k), beta_mode if k == 0 else BETA_ONE
            for i in range(0, M, mc):
                height = min(mc, M - i)
                A_block = _block_of_A(
                    kernel_ptrs, A, i, k, height, depth, packs_A, packed, p + NC * depth
                )
                for j in range(left, right, width):
                    n = min(width, right - j)
                    b, b_ld = B.data, B.row_stride
                    offset = B.offset + k * B.row_stride + j * B.column_stride
                    if B.column_stride > 1 or n < width or M > MAX_M_UNPACKED:
                        panel = p + (j - left) * depth
                        b, b_ld = packed, (n + lanes - 1) // lanes * lanes
                        if i == 0:
                            B_block = Operand(B.data, offset, B.row_stride, B.column_stride)
                            pack_panel(kernel_ptrs, depth, n, B_block, Matrix(b, panel, b_ld))
                        offset = panel
                    multiply_tiles(
                        kernel_ptrs, height, n, depth, A_block, Matrix(b, offset, b_ld),
                        Matrix(C.data, C.offset + i * C.ld + j, C.ld),
                        Beta(mode, A.data, 0), Epilogue(EPILOGUE_NONE, 0, 1.0),
                    )  # fmt: skip


@inlined
def _multiply_dots(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed):
    """C (M, N) = (C +) A (M, K) B (K, N) by dot products; a row-major B is transposed for them."""
    is_column_major = B.row_stride == 1
    kc = K if is_column_major else KC_LARGE
    for k in range(0, K, kc):
        b, b_offset, b_ld, depth = B.data, 0, B.column_stride, min(kc, K - k)
        if not is_column_major:
            b, b_offset, b_ld = packed, 0, KC_LARGE
            transpose(
                kernel_ptrs, depth, N, B.data, k * B.row_stride, B.row_stride, packed, 0,
                KC_LARGE, 1,
            )  # fmt: skip
        multiply_inner(
            kernel_ptrs, M, N, depth, Matrix(A.data, k, A.row_stride), Matrix(b, b_offset, b_ld),
            Operand(C, 0, N, 1), 1 if beta_mode == BETA_ONE or k > 0 else 0,
        )  # fmt: skip


@inlined
def _multiply_transposed(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed):
    """C (M, N) = (C +) A (M, K) B (K, N) as Cᵀ = Bᵀ Aᵀ for few columns: its vectors are whole.

    NC columns of Cᵀ lie behind the packed panels at a time. Rows of B are at most MAX_N_DOT long,
    less than what Bᵀ is packed for.
    """
    q, lanes = NC * min(K, KC_LARGE), lane_count(C)
    for i in range(0, M, NC):
        n = min(NC, M - i)
        if beta_mode == BETA_ONE:
            transpose(kernel_ptrs, n, N, C, i * N, N, packed, q, NC, 1)
        multiply_blocked(
            kernel_ptrs, N, n, K, Operand(B.data, 0, B.column_stride, B.row_stride),
            Operand(A.data, i, A.column_stride, 1), Matrix(packed, q, NC), beta_mode, packed, 0,
        )  # fmt: skip
        # Rows are written as whole vectors, beyond which the next row follows; the last do not.
        exact = min(n, lanes) if lanes >= N else n
        transpose(kernel_ptrs, N, n - exact, packed, q, NC, C, i * N, N, 1)
        transpose(kernel_ptrs, N, exact, packed, q + n - exact, NC, C, (i + n - exact) * N, N, 0)


@kernel
def multiply_matrices(
    kernel_ptrs, M, N, K, A, A_row_stride, A_column_stride, B, B_row_stride, B_column_stride, C,
    beta_mode, packed,
):  # fmt: skip
    """C (M, N) = (C +) A (M, K) B (K, N), all as flat vectors, in the fastest way.

    One stride of A and one of B is 1, C is row-major; beta_mode: BETA_ZERO or BETA_ONE. packed
    (PACK_SIZE,) is scratch and begins on a cache line: where vectors cross lines, tiles lose 2 %.
    Python calls this with plain arguments, which it hands over faster than named tuples.
    """
    A_operand = Operand(A, 0, A_row_stride, A_column_stride)
    B_operand = Operand(B, 0, B_row_stride, B_column_stride)
    if (
        K >= MIN_K_DOT
        and A_column_stride == 1
        and (N <= MAX_N_DOT or (M <= MAX_M_DOT and B_row_stride == 1))
    ):
        _multiply_dots(kernel_ptrs, M, N, K, A_operand, B_operand, C, beta_mode, packed)
    elif N <= MAX_N_DOT and M > N and A_row_stride == 1:
        _multiply_transposed(kernel_ptrs, M, N, K, A_operand, B_operand, C, beta_mode, packed)
    else:
        multiply_blocked(
            kernel_ptrs, M, N, K, A_operand, B_operand, Matrix(C, 0, N), beta_mode, packed, 0
        )
