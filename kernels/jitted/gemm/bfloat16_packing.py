"""Packing of factors as pairs of bfloat16: neighbours along k, rounded, share a 32-bit word.

Pair q of a row or column holds its numbers 2q and 2q + 1; after an odd last one stands 0. Where a
vector of pairs is more than what is left, zeros fill it up.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.bfloat16 import pairs_along, pairs_of
from ..codegen.simd import INT32, Vectors, clamp_index, element_pointer, index, index_constant, void
from ..compiler.definitions import indirect
from ..compiler.jit import inlined
from ..requirements import ROUNDED
from .packing import lane_count


def _masks(builder, v, n):
    """Return the masks of the first and second vector of n numbers, an LLVM int64."""
    n = builder.trunc(n, INT32)
    return v.mask(n), v.mask(builder.sub(n, INT32(v.lanes)))


@intrinsic
def _pack_along(typingctx, X, x, n, P, p):
    """P[p : p + lanes] = the pairs of X[x : x + n], n ≤ 2 · lanes, zeros behind; flat vectors."""
    signature = void(X, index, index, P, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, P.dtype)
        x = element_pointer(context, builder, X, args[0], args[1])
        p = element_pointer(context, builder, P, args[3], args[4])
        first, second = _masks(builder, v, args[2])
        low, high = v.load_masked(x, None, first), v.load_masked(x, index_constant(v.lanes), second)
        v.store(pairs_along(v, low, high), p)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _pack_across(typingctx, X, x, ldx, n, rows, P, p):
    """P[p + j] = the pair (X[x + j], X[x + ldx + j]), j < n, then zeros; flat vectors.

    n ≤ lanes. rows: 2, or 1: then 0 stands for all second numbers.
    """
    signature = void(X, index, index, index, index, P, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, P.dtype)
        x = element_pointer(context, builder, X, args[0], args[1])
        p = element_pointer(context, builder, P, args[5], args[6])
        n, is_whole = args[3], builder.icmp_signed("==", args[4], index_constant(2))
        second = builder.select(is_whole, n, index_constant(0))
        masks = [v.mask(builder.trunc(count, INT32)) for count in (n, second)]
        loaded = v.load_masked(x, None, masks[0]), v.load_masked(x, args[2], masks[1])
        v.store(pairs_of(v, *loaded), p)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _pack_transposed(typingctx, X, x, ldx, m, n, P, p, ldp):
    """P[p + q · ldp + j] = pair q of X[x + j · ldx : … + n] for j, q < lanes; flat vectors.

    n ≤ 2 · lanes, zeros behind. 1 ≤ m: where j ≥ m, pairs of row m − 1 are repeated.
    """
    signature = void(X, index, index, index, index, P, index, index)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, P.dtype)
        x = element_pointer(context, builder, X, args[0], args[1])
        p = element_pointer(context, builder, P, args[5], args[6])
        first, second = _masks(builder, v, args[4])
        lines = []
        for j in range(v.lanes):
            start = builder.mul(clamp_index(builder, j, args[3]), args[2])
            low = v.load_masked(x, start, first)
            high = v.load_masked(x, builder.add(start, index_constant(v.lanes)), second)
            lines.append(pairs_along(v, low, high))
        for q, line in enumerate(v.transpose(lines)):
            v.store(line, p, builder.mul(args[7], index_constant(q)))
        return context.get_dummy_value()

    return signature, codegen


@inlined
def _pack_rows(M, K, X, x, ldx, P, p, ldp):
    """P[p + i · ldp + q] = pair q of row i of X (M, K), whose rows begin ldx numbers apart."""
    step = 2 * lane_count(P)
    for i in range(M):
        for k in range(0, K, step):
            _pack_along(X, x + i * ldx + k, min(step, K - k), P, p + i * ldp + k // 2)


@inlined
def _pack_columns(K, N, X, x, ldx, P, p, ldp):
    """P[p + q · ldp + j] = the pair of rows 2q and 2q + 1 of X (K, N) at j, for whole vectors."""
    step = lane_count(P)
    for k in range(0, K, 2):
        for j in range(0, N, step):
            at = x + k * ldx + j
            _pack_across(X, at, ldx, min(step, N - j), min(2, K - k), P, p + k // 2 * ldp + j)


@inlined
def _pack_columns_of_rows(K, N, X, x, ldx, P, p, ldp):
    """P[p + q · ldp + j] = pair q of row j of X (N, K), for whole vectors of j and q."""
    lanes = lane_count(P)
    step = 2 * lanes
    for j in range(0, N, lanes):
        for k in range(0, K, step):
            at, target = x + j * ldx + k, p + k // 2 * ldp + j
            _pack_transposed(X, at, ldx, min(lanes, N - j), min(step, K - k), P, target, ldp)


@indirect("i i Operand F1 i i i", requires=ROUNDED)
def pack_left(M, K, A, packed, p, row_stride, column_stride):
    """Pack A (M, K), a left factor: pair q of row i is packed[p + i row_stride + q column_stride].

    A: an Operand, one of whose strides is 1. If that of a row is, row_stride is 1 and column_stride
    at least M, else column_stride is 1 and row_stride at least ⌈K / 2⌉, both in whole vectors.
    """
    if A.column_stride == 1:
        _pack_rows(M, K, A.data, A.offset, A.row_stride, packed, p, row_stride)
    else:
        _pack_columns(K, M, A.data, A.offset, A.column_stride, packed, p, column_stride)


@indirect("i i Operand F1 i i", requires=ROUNDED)
def pack_right(K, N, B, packed, width, stride):
    """Pack B (K, N), a right factor, in panels of `width` columns, which begin `stride` apart.

    Pair q of column j · width + i, i < width, is packed[j · stride + q · width + i]. B: an Operand,
    one of whose strides is 1. width: whole vectors; stride: width · ⌈K / 2⌉ or more, where ⌈K / 2⌉
    is rounded up to whole vectors.
    """
    for j in range(0, N, width):
        n, offset, p = min(width, N - j), B.offset + j * B.column_stride, j // width * stride
        if B.column_stride == 1:
            _pack_columns(K, n, B.data, offset, B.row_stride, packed, p, width)
        else:
            _pack_columns_of_rows(K, n, B.data, offset, B.column_stride, packed, p, width)
