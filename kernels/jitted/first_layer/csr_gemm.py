"""Sparse rows as they lie in memory: laid out in blocks, or multiplied by weights.

X is (address of the numbers, of where rows begin, of the columns, code), from a `SparseRows`.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import AS_IT_IS
from ..codegen.pointers import CSR_CODE, MARK, csr_row_bounds, each_csr_dtype, load, view, view_row
from ..compiler.dispatch_table import in_training_each, indirect, indirect_each
from ..compiler.jit import exact, inlined
from . import csr_gemm_packed

OUTPUTS = 4  # outputs for which a number and its column are read once; 8 are no faster


@inlined
def multiplies(op, X):
    """Tell whether X is sparse and multiplied as it is, `op` being its INPUT row."""
    return CSR_CODE <= X[3] < MARK and op.A == AS_IT_IS and op.stats == 0


@inlined
def _search(X, i, k0):
    """The first place in a row whose column is k0 or more."""
    low, high = csr_row_bounds(X, i)
    while low < high:
        middle = (low + high) // 2
        if load(X[2], middle, np.int32) < k0:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _scaled(value, wide, k, stats, low, scale, lost, offset):
    """(value − low − lost) scale + offset; stats 0: as it is."""
    if stats > 0:
        q = k if stats > 1 else 0
        value = (value - wide(low[q]) - wide(lost[q])) * wide(scale[q]) + offset
    return value


@inlined
def _lay(dtype, wide, X, rows, k0, stats, shift, factor, rest, offset, block):
    """block (n, w) = X[rows, k0 : k0+w], scaled in `wide`."""
    number, w = block.dtype.type, block.shape[1]
    offset = wide(offset)
    first, n = (k0, w) if stats > 1 else (0, stats)
    low, scale, lost = view(shift, first, n), view(factor, first, n), view(rest, first, n)
    for j in range(rows.size):
        line = view_row(block, j, 0, w)
        for k in range(w):
            line[k] = number(_scaled(wide(0), wide, k, stats, low, scale, lost, offset))
        p, end = _search(X, rows[j], k0), load(X[1], rows[j] + 1, np.int64)
        while p < end and load(X[2], p, np.int32) < k0 + w:
            k = np.intp(load(X[2], p, np.int32)) - k0
            value = wide(load(X[0], p, dtype))
            line[k] = number(_scaled(value, wide, k, stats, low, scale, lost, offset))
            p += 1


def gather_of(kind):
    """Return the kernel for sparse X of a dtype, as those in `gather.py`."""

    def gather(X, rows, k0, stats, shift, factor, rest, offset, block):
        """block (n, w) = (X[rows, k0 : k0+w] − shift − rest) factor + offset; stats 0: as it is."""
        _lay(kind, block.dtype.type, X, rows, k0, stats, shift, factor, rest, offset, block)

    def gather_wide(X, rows, k0, stats, shift, factor, rest, offset, block):
        """The same, scaled in float64."""
        _lay(kind, np.float64, X, rows, k0, stats, shift, factor, rest, offset, block)

    return gather_wide if kind == np.float64 else gather


@exact  # or LLVM loads by vectors of indices, which takes twice as long
def _dots(dtype, X, i, w0, w1, w2, w3):
    """Products of a row of X with four rows of W."""
    number = w0.dtype.type
    a = b = c = d = number(0)
    first, last = csr_row_bounds(X, i)
    for p in range(first, last):
        k, x = load(X[2], p, np.uint32), number(load(X[0], p, dtype))
        a += x * w0[k]
        b += x * w1[k]
        c += x * w2[k]
        d += x * w3[k]
    return a, b, c, d


@exact
def _dot(dtype, X, i, w):
    """Product of a row of X with a row of W."""
    number = w.dtype.type
    a = number(0)
    first, last = csr_row_bounds(X, i)
    for p in range(first, last):
        a += number(load(X[0], p, dtype)) * w[load(X[2], p, np.uint32)]
    return a


def _forward_of(kind):
    """Return the kernel for sparse X of a dtype."""

    def forward(X, rows, n_out, n_in, theta, W, Z, z, ld):
        """Z[z + o ld + j] += Σ X[rows[j], k] W[o, k], o < n_out; W (n_out, n_in) at theta[W]."""
        fours = n_out // OUTPUTS * OUTPUTS
        for o in range(0, fours, OUTPUTS):
            w0 = view(theta, W + o * n_in, n_in)
            w1 = view(theta, W + (o + 1) * n_in, n_in)
            w2 = view(theta, W + (o + 2) * n_in, n_in)
            w3 = view(theta, W + (o + 3) * n_in, n_in)
            for j in range(rows.size):
                a, b, c, d = _dots(kind, X, rows[j], w0, w1, w2, w3)
                at = z + o * ld + j
                Z[at] += a
                Z[at + ld] += b
                Z[at + 2 * ld] += c
                Z[at + 3 * ld] += d
        for o in range(fours, n_out):
            w = view(theta, W + o * n_in, n_in)
            for j in range(rows.size):
                Z[z + o * ld + j] += _dot(kind, X, rows[j], w)

    return forward


def _backward_of(kind):
    """Return the kernel for sparse X of a dtype."""

    def backward(X, rows, n, n_in, D, d, ld, grad, W):
        """dW[o, k] = Σⱼ D[d + o ld + j] X[rows[j], k], o < n ≤ OUTPUTS; dW (n, n_in) at grad[W]."""
        number = grad.dtype.type
        whole = view(grad, W, n * n_in)
        for k in range(whole.size):
            whole[k] = 0
        w0, w1 = view(grad, W, n_in), view(grad, W + n_in, n_in)
        w2, w3 = view(grad, W + 2 * n_in, n_in), view(grad, W + 3 * n_in, n_in)
        for j in range(rows.size if n == OUTPUTS else 0):
            at = d + j
            a, b, c, e = D[at], D[at + ld], D[at + 2 * ld], D[at + 3 * ld]
            first, last = csr_row_bounds(X, rows[j])
            for p in range(first, last):
                k, x = load(X[2], p, np.uint32), number(load(X[0], p, kind))
                w0[k] += x * a
                w1[k] += x * b
                w2[k] += x * c
                w3[k] += x * e
        for o in range(n if n < OUTPUTS else 0):
            w0 = view(grad, W + o * n_in, n_in)
            for j in range(rows.size):
                a = D[d + o * ld + j]
                first, last = csr_row_bounds(X, rows[j])
                for p in range(first, last):
                    w0[load(X[2], p, np.uint32)] += number(load(X[0], p, kind)) * a

    return backward


_forward = indirect_each("X I1 i i F1 i F1 i i", each_csr_dtype(_forward_of))
_backward = indirect_each("X I1 i i F1 i i F1 i", in_training_each(each_csr_dtype(_backward_of)))


@indirect("T X I1 i i F1 i F1 i i i i", requires="sparse")
def forward(table, X, rows, n_out, n_in, theta, W, Z, z, ld, s, room):
    """Z[z + o ld + j] += Σ X[rows[j], k] W[o, k], Z the same for all j; scratch at Z[s]."""
    if csr_gemm_packed.fit(Z, n_out, n_in, room):
        csr_gemm_packed.forward(table, X, rows, n_out, n_in, theta, W, Z, z, ld, s)
    else:
        _forward(table, X[3] - CSR_CODE, X, rows, n_out, n_in, theta, W, Z, z, ld)


@indirect("T X I1 i i F1 i i F1 i i i Team", requires="sparse in training")
def backward(table, X, rows, n_out, n_in, D, d, ld, grad, W, s, room, team):
    """dW (n_out, n_in) at grad[W], shared out: dW[o, k] = Σⱼ D[d + o ld + j] X[rows[j], k]."""
    narrow = csr_gemm_packed.fit(D, n_out, n_in, room)
    if narrow:
        csr_gemm_packed.backward(table, X, rows, n_out, n_in, D, d, ld, grad, W, s, team)
    for tile in range(team.tid, 0 if narrow else (n_out + OUTPUTS - 1) // OUTPUTS, team.n_threads):
        o = tile * OUTPUTS
        n = min(OUTPUTS, n_out - o)
        at, w = d + o * ld, W + o * n_in
        _backward(table, X[3] - CSR_CODE, X, rows, n, n_in, D, at, ld, grad, w)
