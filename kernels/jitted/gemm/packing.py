"""Copies that change how a matrix lies, vector by vector: panels for products, examples turned."""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.cpu import CACHE_LINE, block_sizes
from ..codegen.pointers import prefetch, view
from ..codegen.simd import (
    INT32,
    Vectors,
    clamp_index,
    element_pointer,
    index,
    index_constant,
    lanes,
    void,
)
from ..compiler.dispatch_table import indirect

PREFETCH_DISTANCE = block_sizes().PREFETCH_DISTANCE  # rows that are prefetched before their turn


@intrinsic
def lane_count(typingctx, A):
    """How many numbers of A a vector holds."""
    count = lanes(A.dtype)

    def codegen(context, builder, signature, args):
        return index_constant(count)

    return index(A), codegen


@intrinsic
def _square(typingctx, X, x, ldx, Y, y, ldy):
    """Y[y + k ldy + j] = X[x + j ldx + k] for a square of as many as a vector has lanes."""
    signature = void(X, index, index, Y, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        x = element_pointer(context, builder, X, args[0], args[1])
        y = element_pointer(context, builder, Y, args[3], args[4])
        lines = [v.load(x, builder.mul(args[2], index_constant(i))) for i in range(v.lanes)]
        for i, line in enumerate(v.transposed(lines)):
            v.store(line, y, builder.mul(args[5], index_constant(i)))
        return context.get_dummy_value()

    return signature, codegen


def _store_corner(builder, v, rows, n, y, ldy, m=None):
    """Write m rows of n numbers, of which these are the addresses, as columns at y, ldy apart.

    Without m whole vectors are written, for stores by mask are slow (2 × 256 numbers took 2.5 µs,
    0.8 without): what lies behind the columns must be free.
    """
    across = v.mask(builder.trunc(n, INT32))
    down = None if m is None else v.mask(builder.trunc(m, INT32))
    lines = v.transposed([v.load_masked(row, None, across) for row in rows])
    for i, line in enumerate(lines):
        with builder.if_then(builder.icmp_signed("<", index_constant(i), n)):
            place = builder.mul(ldy, index_constant(i))
            if down is None:
                v.store(line, y, place)
            else:
                v.store_masked(line, y, place, down)


def _corner_of(exact):
    """Return the intrinsic for m rows of n numbers, both at most as many as a vector has lanes."""

    @intrinsic
    def corner(typingctx, X, x, ldx, Y, y, ldy, m, n):
        """Y[y + k ldy + j] = X[x + j ldx + k], k < n, j < m, or of whole vectors if not exact."""
        signature = void(X, index, index, Y, index, index, index, index)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, Y.dtype)
            x = element_pointer(context, builder, X, args[0], args[1])
            y = element_pointer(context, builder, Y, args[3], args[4])
            places = [clamp_index(builder, i, args[6]) for i in range(v.lanes)]
            rows = [builder.gep(x, [builder.mul(args[2], i)]) for i in places]
            _store_corner(builder, v, rows, args[7], y, args[5], args[6] if exact else None)
            return context.get_dummy_value()

        return signature, codegen

    return corner


_exact, _roomy = _corner_of(True), _corner_of(False)


@intrinsic
def _picked(typingctx, X, rows, k, Y, y, ldy, m, n):
    """Y[y + q ldy + j] = X[rows[j], k + q] for m rows and n columns; X as `locate` describes it.

    Whole vectors of Y are written, with the last row again behind it.
    """
    signature = void(X, rows, index, Y, index, index, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        y = element_pointer(context, builder, Y, args[3], args[4])
        order = element_pointer(context, builder, rows, args[1], index_constant(0))
        first = builder.inttoptr(builder.extract_value(args[0], 0), v.scalar.as_pointer())
        step = builder.extract_value(args[0], 1)
        places = [clamp_index(builder, i, args[6]) for i in range(v.lanes)]
        starts = [builder.mul(builder.load(builder.gep(order, [i])), step) for i in places]
        lines = [builder.gep(first, [builder.add(start, args[2])]) for start in starts]
        _store_corner(builder, v, lines, args[7], y, args[5])
        return context.get_dummy_value()

    return signature, codegen


@indirect("i i F1 i i F1 i i i", requires="tiles")
def transpose(m, n, X, x, ldx, Y, y, ldy, roomy):
    """Y[y + k ldy + j] = X[x + j ldx + k] for j < m, k < n.   Y (n, ldy); X (m, ldx).

    roomy: 1 where rows of Y may be written up to whole vectors.
    """
    step = lane_count(X)
    for j in range(0, m, step):
        for k in range(0, n, step):
            if j + step <= m and k + step <= n:
                _square(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy)
            else:
                tall, wide = min(step, m - j), min(step, n - k)
                if roomy != 0 or tall == step:
                    _roomy(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy, tall, wide)
                else:
                    _exact(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy, tall, wide)


@indirect("X I1 i F1 i i", requires="pick")
def gather_rows(X, rows, n, Y, y, ldy):
    """Y[y + k ldy + j] = X[rows[j], k], k < n: of the network's dtype, columns side by side.

    Rows of Y are written up to whole vectors.
    """
    step, size = lane_count(Y), Y.itemsize
    for j in range(0, rows.size, step):
        tall = min(step, rows.size - j)
        ahead = j + PREFETCH_DISTANCE
        for i in range(ahead, min(ahead + step, rows.size) if n * size >= CACHE_LINE else 0):
            for byte in range(0, n * size, CACHE_LINE):
                prefetch(X[0] + rows[i] * X[1] * size + byte)
        for k in range(0, n, step):
            at = y + k * ldy + j
            _picked(X, view(rows, j, tall), k, Y, at, ldy, tall, min(step, n - k))


@intrinsic
def _line(typingctx, X, x, n, Y, y):
    """Y[y : y + lanes] = X[x : x + n], zeros behind: a vector of which n numbers are there."""
    signature = void(X, index, index, Y, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        x, y = (
            element_pointer(context, builder, kind, args[i], args[i + 1])
            for i, kind in ((0, X), (3, Y))
        )
        v.store(v.load_masked(x, None, v.mask(builder.trunc(args[2], INT32))), y)
        return context.get_dummy_value()

    return signature, codegen


@indirect("T i i F1 i i i F1 i i", requires="product")
def pack(table, K, N, B, b, bk, bj, panel, p, width):
    """panel[p + k width + j] = B[b + k bk + j bj] for k < K, j < N; what lies behind is not read.

    bk or bj is 1; width is N in whole vectors.
    """
    step = lane_count(panel)
    if bk == 1:
        transpose(table, N, K, B, b, bj, panel, p, width, 1)
    else:
        for k in range(K):
            for j in range(0, width, step):
                _line(B, b + k * bk + j, min(N - j, step), panel, p + k * width + j)
