"""Packing: panels for the micro-kernel, transposes and gathered rows, by squares of vectors."""

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
    """The number of elements of the array A that a vector holds."""
    count = lanes(A.dtype)

    def codegen(context, builder, signature, args):
        return index_constant(count)

    return index(A), codegen


@intrinsic
def _transpose_square(typingctx, X, x, ldx, Y, y, ldy):
    """Y[y + k ldy + j] = X[x + j ldx + k] for j, k < lanes of a vector."""
    signature = void(X, index, index, Y, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        x = element_pointer(context, builder, X, args[0], args[1])
        y = element_pointer(context, builder, Y, args[3], args[4])
        rows = [v.load(x, builder.mul(args[2], index_constant(j))) for j in range(v.lanes)]
        for k, column in enumerate(v.transpose(rows)):
            v.store(column, y, builder.mul(args[5], index_constant(k)))
        return context.get_dummy_value()

    return signature, codegen


def _store_transposed(builder, v, rows, n, y, ldy, m=None):
    """Emit y[k ldy + j] = rows[j][k] for k < n, j < m; rows: addresses, one for each lane.

    Without m, rows of y are written as whole vectors, beyond m columns: stores by mask are slow (2
    × 256 elements took 2.5 µs, 0.8 without).
    """
    row_mask = v.mask(builder.trunc(n, INT32))
    column_mask = None if m is None else v.mask(builder.trunc(m, INT32))
    columns = v.transpose([v.load(row, None, row_mask) for row in rows])
    for k, column in enumerate(columns):
        with builder.if_then(builder.icmp_signed("<", index_constant(k), n)):
            offset = builder.mul(ldy, index_constant(k))
            if column_mask is None:
                v.store(column, y, offset)
            else:
                v.store_masked(column, y, offset, column_mask)


def _transpose_part(exact):
    """Return the intrinsic that transposes a part of a square of `lanes` vectors.

    exact: rows of Y are written to m elements, else to whole vectors.
    """

    @intrinsic
    def transpose_part(typingctx, X, x, ldx, Y, y, ldy, m, n):
        """Y[y + k ldy + j] = X[x + j ldx + k], k < n, j < m; m, n ≤ lanes."""
        signature = void(X, index, index, Y, index, index, index, index)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, Y.dtype)
            x = element_pointer(context, builder, X, args[0], args[1])
            y = element_pointer(context, builder, Y, args[3], args[4])
            js = [clamp_index(builder, j, args[6]) for j in range(v.lanes)]
            rows = [builder.gep(x, [builder.mul(args[2], j)]) for j in js]
            _store_transposed(builder, v, rows, args[7], y, args[5], args[6] if exact else None)
            return context.get_dummy_value()

        return signature, codegen

    return transpose_part


_transpose_exact, _transpose_padded = _transpose_part(True), _transpose_part(False)


@intrinsic
def _gather_square(typingctx, X, rows, k, Y, y, ldy, m, n):
    """Y[y + q ldy + j] = X[rows[j], k + q] for j < m, q < n; m, n ≤ lanes of a vector.

    X is an Input. Rows of Y are written as whole vectors, in which the last row repeats.
    """
    signature = void(X, rows, index, Y, index, index, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        y = element_pointer(context, builder, Y, args[3], args[4])
        indices = element_pointer(context, builder, rows, args[1], index_constant(0))
        data = builder.inttoptr(builder.extract_value(args[0], 0), v.scalar.as_pointer())
        row_stride = builder.extract_value(args[0], 1)
        js = [clamp_index(builder, j, args[6]) for j in range(v.lanes)]
        starts = [builder.mul(builder.load(builder.gep(indices, [j])), row_stride) for j in js]
        addresses = [builder.gep(data, [builder.add(start, args[2])]) for start in starts]
        _store_transposed(builder, v, addresses, args[7], y, args[5])
        return context.get_dummy_value()

    return signature, codegen


@indirect("i i F1 i i F1 i i i", requires="tiles")
def transpose(m, n, X, x, ldx, Y, y, ldy, padded):
    """Y[y + k ldy + j] = X[x + j ldx + k] for j < m, k < n.   Y (n, ldy) at y; X (m, ldx) at x.

    padded: 1 where rows of Y may be written up to whole vectors.
    """
    step = lane_count(X)
    for j in range(0, m, step):
        for k in range(0, n, step):
            if j + step <= m and k + step <= n:
                _transpose_square(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy)
            else:
                tall, wide = min(step, m - j), min(step, n - k)
                if padded != 0 or tall == step:
                    _transpose_padded(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy, tall, wide)
                else:
                    _transpose_exact(X, x + j * ldx + k, ldx, Y, y + k * ldy + j, ldy, tall, wide)


@indirect("X I1 i F1 i i", requires="pick")
def gather_rows(X, rows, n, Y, y, ldy):
    """Y[y + k ldy + j] = X[rows[j], k] for k < n.   Y (n, ldy) at y.

    X has the network's dtype and its columns side by side. Rows of Y are written as whole vectors.
    """
    step, size = lane_count(Y), Y.itemsize
    for j in range(0, rows.size, step):
        tall = min(step, rows.size - j)
        ahead = j + PREFETCH_DISTANCE
        for i in range(ahead, min(ahead + step, rows.size) if n * size >= CACHE_LINE else 0):
            for byte in range(0, n * size, CACHE_LINE):
                prefetch(X.address + rows[i] * X.row_stride * size + byte)
        for k in range(0, n, step):
            at = y + k * ldy + j
            _gather_square(X, view(rows, j, tall), k, Y, at, ldy, tall, min(step, n - k))


@intrinsic
def _copy_vector(typingctx, X, x, n, Y, y):
    """Y[y : y + lanes] = X[x : x + n] followed by zeros; n ≤ lanes."""
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


@indirect("T i i Operand Matrix", requires="product")
def pack_panel(kernel_ptrs, K, N, B, panel):
    """panel[k, j] = B[k, j] for k < K, j < N; panel.ld is N in whole vectors.

    B is row-major or column-major; no element beside it is read.
    """
    lanes = lane_count(panel.data)
    if B.row_stride == 1:
        transpose(
            kernel_ptrs, N, K, B.data, B.offset, B.column_stride, panel.data, panel.offset,
            panel.ld, 1,
        )  # fmt: skip
    else:
        for k in range(K):
            source, target = B.offset + k * B.row_stride, panel.offset + k * panel.ld
            for j in range(0, panel.ld, lanes):
                _copy_vector(B.data, source + j, min(N - j, lanes), panel.data, target + j)
