"""The macro-kernel: C (M, N) = A (M, K) B (K, N), in blocks that stay in the caches.

As in BLIS, loops over NC columns of B, then KC or KC_LARGE rows of B, then MC rows of A surround
the micro-kernel. B is packed in panels that are as wide as a tile of C and stay in the second-level
cache while all blocks of A meet them.
"""

from __future__ import annotations

from ..codegen.cpu import block_sizes
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined
from ..records import BETA_ONE, Beta, Epilogue, Matrix, Operand
from .epilogue import EPILOGUE_NONE
from .inner_product import multiply_inner
from .microkernel import NR_VECTORS, multiply_tiles
from .packing import lane_count, pack_panel, transpose

_sizes = block_sizes()
# The measurements that chose these sizes stand in `codegen/cpu.py`.
#: Sizes of the blocks into which M, K and N are cut: MC rows of A, KC_LARGE rows of B (KC if C has
#: fewer than KC_LARGE_MIN_M rows), NC columns of B.
MC, KC, KC_LARGE, NC = _sizes.MC, _sizes.KC, _sizes.KC_LARGE, _sizes.NC
#: From this number of rows of C on, a block has KC_LARGE rows of B, not KC: C, which is read and
#: written once for each block of rows of B, then passes through the caches half as often.
KC_LARGE_MIN_M = _sizes.KC_LARGE_MIN_M
#: Up to this number of rows of C, columns of a row-major B that fill a tile are read where they
#: lie. With more rows packing pays, since B is read often and packed vectors cross no cache line.
MAX_M_UNPACKED = _sizes.MAX_M_UNPACKED
#: A column-major A is packed if its columns begin at least this many bytes apart.
MIN_STRIDE_PACK_A = _sizes.MIN_STRIDE_PACK_A
#: `multiply_matrices` takes dot products if K ≥ MIN_K_DOT and C has at most MAX_N_DOT columns, or
#: at most MAX_M_DOT rows and B is column-major.
MAX_N_DOT = _sizes.MAX_N_DOT
MAX_M_DOT = _sizes.MAX_M_DOT
MIN_K_DOT = _sizes.MIN_K_DOT


@inlined
def _block_of_A(kernel_ptrs, A, i, k, height, depth, packs, packed, p):
    """Return the block A[i : i + height, k : k + depth] of A, an Operand, as an Operand.

    packs: a bool. True: A is column-major, and the block is copied to packed[p:], height · KC_LARGE
    elements of a flat vector, row-major with leading dimension KC_LARGE. False: nothing is copied,
    the result points into A; packed and p are unused.
    """
    data, offset = A.data, A.offset + i * A.row_stride + k * A.column_stride
    row_stride, column_stride = A.row_stride, A.column_stride
    if packs:
        transpose(kernel_ptrs, depth, height, data, offset, column_stride, packed, p, KC_LARGE, 1)
        data, offset, row_stride, column_stride = packed, p, KC_LARGE, 1
    return Operand(data, offset, row_stride, column_stride)


@indirect("T i i i Operand Operand Matrix i F1 i", requires="product")
def multiply_blocked(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed, p):
    """C (M, N) = A (M, K) B (K, N), plus the old C (M, N) if beta_mode is BETA_ONE, not BETA_ZERO.

    A, B: each an Operand, row-major or column-major; C: a Matrix, written. packed[p:]: scratch in a
    flat vector, from element p on. For a column-major A whose columns lie MIN_STRIDE_PACK_A bytes
    or more apart it has `codegen.cpu.pack_size()` elements. Else KC_LARGE elements for each of
    min(N, NC) columns of B, rounded up to whole tiles, are enough.
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
    """C (M, N) = A (M, K) B (K, N) by dot products, plus the old C (M, N) if beta_mode is BETA_ONE.

    A, B: each an Operand with offset 0, A row-major, B in either order. C (M · N,): flat,
    row-major, written. packed: flat scratch of N · KC_LARGE elements, into which a row-major B is
    transposed, KC_LARGE rows at a time; unused if B is column-major.
    """
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
    """C (M, N) = A (M, K) B (K, N) as Cᵀ = Bᵀ Aᵀ, plus the old C (M, N) if beta_mode is BETA_ONE.

    For N ≤ MAX_N_DOT columns and a column-major A: vectors along M are full, along N they would not
    be. A, B: each an Operand with offset 0; C (M · N,): flat, row-major, written. packed, of
    pack_size() numbers: scratch for panels of Aᵀ and, after them, for NC columns of Cᵀ, as (N, NC).
    Bᵀ is not packed: its columns lie less than MIN_STRIDE_PACK_A bytes apart.
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
        # A row of C that is stored as a whole vector spills into the next rows, which are stored
        # after it. The last rows have too few behind them, and a row that is longer than a vector
        # is stored in two turns: these are stored to exactly N columns.
        exact = min(n, lanes) if lanes >= N else n
        transpose(kernel_ptrs, N, n - exact, packed, q, NC, C, i * N, N, 1)
        transpose(kernel_ptrs, N, exact, packed, q + n - exact, NC, C, (i + n - exact) * N, N, 0)


@entry("T i i i Operand Operand F1 i F1", requires="matrix product")
def multiply_matrices(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed):
    """C (M, N) = A (M, K) B (K, N), plus the old C (M, N) if beta_mode is BETA_ONE, not BETA_ZERO.

    A, B: each an Operand with offset 0, one of whose strides is 1; C (M · N,): flat, row-major,
    written. packed, of pack_size() numbers: scratch that begins on a cache line, since tiles lose
    2 % where vectors cross lines.
    """
    if (
        K >= MIN_K_DOT
        and A.column_stride == 1
        and (N <= MAX_N_DOT or (M <= MAX_M_DOT and B.row_stride == 1))
    ):
        _multiply_dots(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed)
    elif N <= MAX_N_DOT and M > N and A.row_stride == 1:
        _multiply_transposed(kernel_ptrs, M, N, K, A, B, C, beta_mode, packed)
    else:
        multiply_blocked(kernel_ptrs, M, N, K, A, B, Matrix(C, 0, N), beta_mode, packed, 0)
