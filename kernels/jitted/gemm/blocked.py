"""Products of whole matrices, in blocks that stay in the caches.

Rows of A pass block by block along panels of B, which are as wide as a tile and lie in the
second-level cache.
"""

from __future__ import annotations

from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from .inner_product import multiply_inner
from .microkernel import KC, NR_MAX, NR_VECTORS, multiply
from .packing import lane_count, pack, transpose
from .small_k import BETA_ONE

#: Rows of A, rows of B and columns of B in a block. Cubes of 1024: 151 GFLOP/s, with twice as many
#: rows of A 148, with all of them for each panel 124 (Xeon, float32).
HIGH, DEEP, WIDE = 48, 2 * KC, 4 * NR_MAX
#: Rows of C from which on DEEP rows of B go at once, for C then passes the caches half as often:
#: 2048 × 2048 × 256 at 157 GFLOP/s instead of 143; but 128 × 512 × 784 at 136 instead of 142.
MANY = 192
#: Rows of C up to which B is read where it lies, where whole tiles of it lie in rows: 32 × 512 ×
#: 784 takes 7 to 10 % less time so (Xeon, vectors within cache lines). With more rows that pays
#: only where all vectors lie so, and arrays from outside seldom do.
UNPACKED = 32
#: Bytes between the columns of A from which on it is turned: a cube of 1024 reaches 149 GFLOP/s so,
#: 137 unturned (Xeon); 256 × 784 × 2048 of float64 takes 4 to 12 % less time so, a cube of 512 of
#: float32 4 % (EPYC).
APART = 2048
SLIM = 15  # columns of C up to which it is dot products, or its transpose, as A lies
NARROW = 32  # rows of C up to which it is dot products where columns of B lie in rows
LONG = 128  # sums from which dot products are taken: of 32 they are slower, of 256 faster
SPACE = WIDE * DEEP + HIGH * DEEP  # numbers that the blocks of a product take at most


@indirect("T i i i F1 i i i F1 i i i F1 i i i F1 i", requires="product")
def product(table, M, N, K, A, a, rs, cs, B, b, bk, bj, C, c, ldc, begin, space, p):
    """C[c:] (M, N) = start + A[a:] (M, K) B[b:] (K, N); either may lie either way.

    A number of A stands at a + i rs + k cs, one of B at b + k bk + j bj, where bk or bj is 1.
    begin: ZERO or ADD. space[p:] is for blocks: DEEP numbers for each column of a whole tile, up to
    WIDE columns, and where A is turned SPACE.
    """
    width, turns = NR_VECTORS * lane_count(C), rs == 1 and cs * A.itemsize >= APART
    most = DEEP if M >= MANY else KC
    tall = HIGH if turns or width < N or KC < K else M
    for left in range(0, N, WIDE):
        right = min(left + WIDE, N)
        for k in range(0, K, most):
            deep, start = min(most, K - k), begin if k == 0 else BETA_ONE
            for i in range(0, M, tall):
                high, F, f, fi, fk = min(tall, M - i), A, a + i * rs + k * cs, rs, cs
                if turns:
                    F, f, fi, fk = space, p + WIDE * deep, DEEP, 1
                    transpose(table, deep, high, A, a + i + k * cs, cs, F, f, fi, 1)
                for j in range(left, right, width):
                    across = min(width, right - j)
                    G, g, ldg = B, b + k * bk + j * bj, bk
                    if bj > 1 or across < width or M > UNPACKED:
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
    most = K if bk == 1 else DEEP
    for k in range(0, K, most):
        W, w, ldw, long = B, 0, bj, min(most, K - k)
        if bk > 1:
            W, w, ldw = space, 0, DEEP
            transpose(table, long, N, B, k * bk, bk, space, 0, DEEP, 1)
        add = 1 if begin == BETA_ONE or k > 0 else 0
        multiply_inner(table, M, N, long, A, k, rs, W, w, ldw, C, 0, N, 1, add)


@inlined
def _slim(table, M, N, K, A, cs, B, bk, bj, C, begin, space):
    """C (M, N) by way of its transpose, where columns of A lie in rows: its vectors are whole.

    It lies behind the panels; B's rows of SLIM numbers are never so far apart that they are turned.
    """
    q = WIDE * min(K, DEEP)
    for i in range(0, M, WIDE):
        high = min(WIDE, M - i)
        if begin == BETA_ONE:
            transpose(table, high, N, C, i * N, N, space, q, WIDE, 1)
        product(table, N, high, K, B, 0, bj, bk, A, i, cs, 1, space, q, WIDE, begin, space, 0)
        # Rows before the exact ones write behind themselves what the next row overwrites.
        exact = min(high, lane_count(C)) if lane_count(C) >= N else high
        transpose(table, N, high - exact, space, q, WIDE, C, i * N, N, 1)
        transpose(table, N, exact, space, q + high - exact, WIDE, C, (i + high - exact) * N, N, 0)


@kernel
def whole(table, M, N, K, A, rs, cs, B, bk, bj, C, begin, space):
    """C (M, N) = start + A (M, K) B (K, N), all of them as vectors, in the fastest way.

    As `product`; space holds SPACE numbers and begins on a cache line: in vectors that cross lines
    tiles lose 2 %.
    """
    if K >= LONG and cs == 1 and (N <= SLIM or (M <= NARROW and bk == 1)):
        _narrow(table, M, N, K, A, rs, B, bk, bj, C, begin, space)
    elif N <= SLIM and M > N and rs == 1:
        _slim(table, M, N, K, A, cs, B, bk, bj, C, begin, space)
    else:
        product(table, M, N, K, A, 0, rs, cs, B, 0, bk, bj, C, 0, N, begin, space, 0)
