"""Copies that change how a matrix lies, vector by vector: panels for products, examples turned."""

from __future__ import annotations

from numba.extending import intrinsic

from ._link import linked
from .memory import part
from .simd import INT, Vectors, clamped, constant, data, index, lanes, void


@intrinsic
def lanes_of(typingctx, A):
    """How many numbers of A a vector holds."""
    count = lanes(A.dtype)

    def codegen(context, builder, signature, args):
        return constant(count)

    return index(A), codegen


@intrinsic
def _square(typingctx, X, x, ldx, Y, y, ldy):
    """Y[y + k ldy + j] = X[x + j ldx + k] for a square of as many as a vector has lanes."""
    signature = void(X, index, index, Y, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        x = data(context, builder, X, args[0], args[1])
        y = data(context, builder, Y, args[3], args[4])
        lines = [v.load(x, builder.mul(args[2], constant(i))) for i in range(v.lanes)]
        for i, line in enumerate(v.transposed(lines)):
            v.store(line, y, builder.mul(args[5], constant(i)))
        return context.get_dummy_value()

    return signature, codegen


def _store_corner(builder, v, rows, m, n, y, ldy):
    """Write m rows of n numbers, of which these are the addresses, as columns at y, ldy apart."""
    across, down = (v.mask(builder.trunc(count, INT)) for count in (n, m))
    lines = v.transposed([v.load_masked(row, None, across) for row in rows])
    for i, line in enumerate(lines):
        with builder.if_then(builder.icmp_signed("<", constant(i), n)):
            v.store_masked(line, y, builder.mul(ldy, constant(i)), down)


@intrinsic
def _corner(typingctx, X, x, ldx, Y, y, ldy, m, n):
    """The same of m rows of n numbers, both at most as many as a vector has lanes."""
    signature = void(X, index, index, Y, index, index, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        x = data(context, builder, X, args[0], args[1])
        y = data(context, builder, Y, args[3], args[4])
        places = [clamped(builder, i, args[6]) for i in range(v.lanes)]
        rows = [builder.gep(x, [builder.mul(args[2], i)]) for i in places]
        _store_corner(builder, v, rows, args[6], args[7], y, args[5])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _picked(typingctx, X, rows, k, Y, y, ldy, m, n):
    """Y[y + q ldy + j] = X[rows[j], k + q] for m rows and n columns; X as `locate` describes it."""
    signature = void(X, rows, index, Y, index, index, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        y = data(context, builder, Y, args[3], args[4])
        order = data(context, builder, rows, args[1], constant(0))
        first = builder.inttoptr(builder.extract_value(args[0], 0), v.scalar.as_pointer())
        step = builder.extract_value(args[0], 1)
        places = [clamped(builder, i, args[6]) for i in range(v.lanes)]
        starts = [builder.mul(builder.load(builder.gep(order, [i])), step) for i in places]
        lines = [builder.gep(first, [builder.add(start, args[2])]) for start in starts]
        _store_corner(builder, v, lines, args[6], args[7], y, args[5])
        return context.get_dummy_value()

    return signature, codegen


@linked("i i F1 i i F1 i i")
def transpose(m, n, X, x, ldx, Y, y, ldy):
    """Y[y + k ldy + j] = X[x + j ldx + k] for j < m, k < n.   Y (n, ldy); X (m, ldx)."""
    step = lanes_of(X)
    for j in range(0, m, step):
        for k in range(0, n, step):
            if j + step <= m and k + step <= n:
                _square(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy)
            else:
                tall, wide = min(step, m - j), min(step, n - k)
                _corner(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy, tall, wide)


@linked("X I1 i F1 i i", when="pick")
def pick(X, rows, n, Y, y, ldy):
    """Y[y + k ldy + j] = X[rows[j], k], k < n: of the network's dtype, columns side by side."""
    step = lanes_of(Y)
    for j in range(0, rows.size, step):
        tall = min(step, rows.size - j)
        for k in range(0, n, step):
            at = y + k * ldy + j
            _picked(X, part(rows, j, tall), k, Y, at, ldy, tall, min(step, n - k))


@intrinsic
def _line(typingctx, X, x, n, Y, y):
    """Y[y : y + lanes] = X[x : x + n], zeros behind: a vector of which n numbers are there."""
    signature = void(X, index, index, Y, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        x, y = (data(context, builder, kind, args[i], args[i + 1]) for i, kind in ((0, X), (3, Y)))
        v.store(v.load_masked(x, None, v.mask(builder.trunc(args[2], INT))), y)
        return context.get_dummy_value()

    return signature, codegen


@linked("T i i F1 i i i F1 i i", when="product")
def pack(table, K, N, B, b, bk, bj, panel, p, width):
    """panel[p + k width + j] = B[b + k bk + j bj] for k < K, j < N, zero for j up to width.

    bk or bj is 1; width is a multiple of a vector's lanes.
    """
    step = lanes_of(panel)
    if bk == 1:
        transpose(table, N, K, B, b, bj, panel, p, width)
        for k in range(K if width > N else 0):
            for j in range(N, width):
                panel[p + k * width + j] = 0
    else:
        for k in range(K):
            for j in range(0, width, step):
                _line(B, b + k * bk + j, min(N - j, step), panel, p + k * width + j)
