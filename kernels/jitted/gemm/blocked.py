"""Products of whole matrices, in blocks that stay in the caches.

Rows of A pass block by block along panels of B, which are as wide as a tile and lie in the
second-level cache.
"""

from __future__ import annotations

from ..codegen.cpu import block_sizes
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from .inner_product import multiply_inner
from .microkernel import KC, NR_VECTORS, multiply
from .packing import lane_count, pack, transpose
from .small_k import BETA_ONE

SIZES = block_sizes()
MC, KC_LARGE, NC = SIZES.MC, SIZES.KC_LARGE, SIZES.NC  # rows of A and B, columns of B in a block
KC_LARGE_MIN_M = SIZES.KC_LARGE_MIN_M  # rows of C from which on a block has KC_LARGE rows of B
MAX_M_UNPACKED = SIZES.MAX_M_UNPACKED  # rows of C up to which a row-major B is not packed
MIN_STRIDE_PACK_A = SIZES.MIN_STRIDE_PACK_A  # bytes between columns of A from which on A is packed
MAX_N_DOT, MAX_M_DOT, MIN_K_DOT = SIZES.MAX_N_DOT, SIZES.MAX_M_DOT, SIZES.MIN_K_DOT
PACK_SIZE = NC * KC_LARGE + MC * KC_LARGE  # elements that the packed blocks take at most


@indirect("T i i i F1 i i i F1 i i i F1 i i i F1 i", requires="product")
def product(table, M, N, K, A, a, rs, cs, B, b, bk, bj, C, c, ldc, begin, space, p):
    """C[c:] (M, N) = start + A[a:] (M, K) B[b:] (K, N); either may lie either way.

    A number of A stands at a + i rs + k cs, one of B at b + k bk + j bj, where bk or bj is 1.
    begin: ZERO or ADD. space[p:] is for blocks: KC_LARGE numbers for each column of a whole tile,
    up to NC columns, and where A is turned PACK_SIZE.
    """
    width, turns = NR_VECTORS * lane_count(C), rs == 1 and cs * A.itemsize >= MIN_STRIDE_PACK_A
    most = KC_LARGE if M >= KC_LARGE_MIN_M else KC
    tall = MC if turns or width < N or KC < K else M
    for left in range(0, N, NC):
        right = min(left + NC, N)
        for k in range(0, K, most):
            deep, start = min(most, K - k), begin if k == 0 else BETA_ONE
            for i in range(0, M, tall):
                high, F, f, fi, fk = min(tall, M - i), A, a + i * rs + k * cs, rs, cs
                if turns:
                    F, f, fi, fk = space, p + NC * deep, KC_LARGE, 1
                    transpose(table, deep, high, A, a + i + k * cs, cs, F, f, fi, 1)
                for j in range(left, right, width):
                    across = min(width, right - j)
                    G, g, ldg = B, b + k * bk + j * bj, bk
                    if bj > 1 or across < width or M > MAX_M_UNPACKED:
                        G, g = space, p + (j - left) * deep
                        ldg = (across + lane_count(C) - 1) // lane_count(C) * lane_count(C)
                        if i == 0:
                            pack(table, deep, across, B, b + k * bk + j * bj, bk, bj, G, g, ldg)
                    multiply(
                        table, high, across, deep, F, f, fi, fk, G, g, ldg, C, c + i * ldc + j,
                        ldc, A, 0, start, 0, 0, 1.0,
                    )  # fmt: skip


@inlined
def _narrow(table, M, N, K, A, rs, B, bk, bj, C, begin, space):
    """C (M, N) as dot products, for which B is turned where its columns do not lie in rows."""
    most = K if bk == 1 else KC_LARGE
    for k in range(0, K, most):
        W, w, ldw, long = B, 0, bj, min(most, K - k)
        if bk > 1:
            W, w, ldw = space, 0, KC_LARGE
            transpose(table, long, N, B, k * bk, bk, space, 0, KC_LARGE, 1)
        add = 1 if begin == BETA_ONE or k > 0 else 0
        multiply_inner(table, M, N, long, A, k, rs, W, w, ldw, C, 0, N, 1, add)


@inlined
def _slim(table, M, N, K, A, cs, B, bk, bj, C, begin, space):
    """C (M, N) by way of its transpose, where columns of A lie in rows: its vectors are whole.

    It lies behind the panels; B's rows of MAX_N_DOT numbers are never turned.
    """
    q = NC * min(K, KC_LARGE)
    for i in range(0, M, NC):
        high = min(NC, M - i)
        if begin == BETA_ONE:
            transpose(table, high, N, C, i * N, N, space, q, NC, 1)
        product(table, N, high, K, B, 0, bj, bk, A, i, cs, 1, space, q, NC, begin, space, 0)
        # Rows before the exact ones write behind themselves what the next row overwrites.
        exact = min(high, lane_count(C)) if lane_count(C) >= N else high
        transpose(table, N, high - exact, space, q, NC, C, i * N, N, 1)
        transpose(table, N, exact, space, q + high - exact, NC, C, (i + high - exact) * N, N, 0)


@kernel
def whole(table, M, N, K, A, rs, cs, B, bk, bj, C, begin, space):
    """C (M, N) = start + A (M, K) B (K, N), all of them as vectors, in the fastest way.

    As `product`; space holds PACK_SIZE numbers and begins on a cache line: in vectors that cross
    lines tiles lose 2 %.
    """
    if K >= MIN_K_DOT and cs == 1 and (N <= MAX_N_DOT or (M <= MAX_M_DOT and bk == 1)):
        _narrow(table, M, N, K, A, rs, B, bk, bj, C, begin, space)
    elif N <= MAX_N_DOT and M > N and rs == 1:
        _slim(table, M, N, K, A, cs, B, bk, bj, C, begin, space)
    else:
        product(table, M, N, K, A, 0, rs, cs, B, 0, bk, bj, C, 0, N, begin, space, 0)
