"""Packing: panels of B for the micro-kernel, transposed matrices, gathered examples of X.

A transpose goes by squares of lanes × lanes elements, where lanes is the number of elements that a
vector holds: a square is loaded as vectors, transposed in registers and stored as vectors.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ...partition import CACHE_LINE
from ..codegen.cpu import block_sizes
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
from ..compiler.definitions import indirect

#: Counted in examples: while `gather_rows` copies example j of a batch, it prefetches example j +
#: PREFETCH_DISTANCE, if an example fills a cache line or more. To copy 256 examples of 54 numbers
#: from a large table took 6.9 µs without prefetching and 2.6 µs with it.
PREFETCH_DISTANCE = block_sizes().PREFETCH_DISTANCE


@intrinsic
def lane_count(typingctx, A):
    """Return how many elements of the dtype of array A a vector register holds, an int64."""
    count = lanes(A.dtype)

    def codegen(context, builder, signature, args):
        return index_constant(count)

    return index(A), codegen


@intrinsic
def _transpose_square(typingctx, X, x, ldx, Y, y, ldy):
    """Y[k, j] = X[j, k] for j and k < lanes, the elements that a vector register holds.

    X[j, k] is element x + j · ldx + k of the flat vector X; Y[k, j], which is written, is element
    y + k · ldy + j of the flat vector Y. X and Y have one dtype.
    """
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
    """Emit y[k · ldy + j] = rows[j][k] for k < n and j < m, where n, m ≤ lanes.

    v: a Vectors; rows: a list of LLVM pointers, one for each lane; y: an LLVM pointer; n, ldy, m:
    LLVM int64. m None: j runs over all lanes, which needs no stores of a part of a vector; these
    are slow (2 × 256 elements took 2.5 µs, and 0.8 µs by whole vectors).
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
    """Return the intrinsic transpose_part(X, x, ldx, Y, y, ldy, m, n): X (m, n) → Y (n, m).

    m and n are at most the elements of a vector register. exact: a bool. True: m elements of each
    row of Y are written; False: a whole vector is, where row m − 1 of X stands in for later rows.
    """

    @intrinsic
    def transpose_part(typingctx, X, x, ldx, Y, y, ldy, m, n):
        """Y[k, j] = X[j, k] for j < m, k < n, where 1 ≤ m, n ≤ lanes of a vector register.

        X[j, k] is element x + j · ldx + k of the flat vector X; Y[k, j], which is written, is
        element y + k · ldy + j of the flat vector Y.
        """
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


def _gather(whole):
    """Return the intrinsic gather(X, rows, k, Y, y, ldy, m, n): X[rows, k : k + n] → Y (n, m).

    whole: a bool. True: m is the number of elements that a vector register holds; False: at most.
    """

    @intrinsic
    def gather(typingctx, X, rows, k, Y, y, ldy, m, n):
        """Y[q, j] = X[rows[j], k + q] for j < m, q < n, where 1 ≤ m, n ≤ lanes of a register.

        X: an Input of Y's dtype with column stride 1; k: the first feature to copy; rows (m,):
        int64 indices of examples. Y[q, j] is element y + q · ldy + j of the flat vector Y, which is
        written. For each q a whole vector is stored: its lanes j ≥ m repeat example rows[m − 1].
        """
        signature = void(X, rows, index, Y, index, index, index, index)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, Y.dtype)
            y = element_pointer(context, builder, Y, args[3], args[4])
            indices = element_pointer(context, builder, rows, args[1], index_constant(0))
            data = builder.inttoptr(builder.extract_value(args[0], 0), v.scalar.as_pointer())
            row_stride = builder.extract_value(args[0], 1)
            js = [
                index_constant(j) if whole else clamp_index(builder, j, args[6])
                for j in range(v.lanes)
            ]
            starts = [builder.mul(builder.load(builder.gep(indices, [j])), row_stride) for j in js]
            addresses = [builder.gep(data, [builder.add(start, args[2])]) for start in starts]
            _store_transposed(builder, v, addresses, args[7], y, args[5])
            return context.get_dummy_value()

        return signature, codegen

    return gather


_gather_whole, _gather_part = _gather(True), _gather(False)


@indirect("i i F1 i i F1 i i i", requires="tiles")
def transpose(m, n, X, x, ldx, Y, y, ldy, padded):
    """Y[k, j] = X[j, k] for j < m, k < n.   X (m, ldx); Y (n, ldy) out, of X's dtype.

    X[j, k] is element x + j · ldx + k of the flat vector X; Y[k, j] is element y + k · ldy + j of
    the flat vector Y. padded: 1 if columns of Y from m up to a whole vector may be overwritten,
    which is faster; 0 if not.
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
    """Y[k, j] = X[rows[j], k] for k < n, j < m: example rows[j] becomes column j of Y (n, ldy).

    X: an Input of Y's dtype with column stride 1; rows (m,): int64 indices of examples. Y[k, j] is
    element y + k · ldy + j of the flat vector Y, which is written. Columns of Y from m up to a
    whole vector repeat the last example.
    """
    step, size = lane_count(Y), n * Y.itemsize
    whole = rows.size // step * step
    for j in range(0, whole, step):
        ahead = j + PREFETCH_DISTANCE
        for i in range(ahead, min(ahead + step, rows.size) if size >= CACHE_LINE else 0):
            for byte in range(0, size, CACHE_LINE):
                prefetch(X.address + rows[i] * X.row_stride * Y.itemsize + byte)
        own = view(rows, j, step)
        for k in range(0, n, step):
            _gather_whole(X, own, k, Y, y + k * ldy + j, ldy, step, min(step, n - k))
    left = view(rows, whole, rows.size - whole)
    for k in range(0, n if left.size > 0 else 0, step):
        _gather_part(X, left, k, Y, y + k * ldy + whole, ldy, left.size, min(step, n - k))


@intrinsic
def _copy_vector(typingctx, X, x, n, Y, y):
    """Y[y : y + lanes] = X[x : x + n] followed by zeros, for flat vectors X and Y.

    lanes: the elements of a vector register; n ≤ lanes.
    """
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
    """panel[k, j] = B[k, j] for k < K, j < N.   panel (K, ld): a Matrix, written; B: an Operand.

    panel.ld must be N rounded up to whole vectors. Columns of the panel from N on become 0 if B is
    row-major; if B is column-major, they repeat column N − 1. Only B[:K, :N] is read.
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
