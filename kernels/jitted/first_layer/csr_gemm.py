"""CSR rows times dense weights: each stored element of X is multiplied by weights of 4 units.

Z[o, j] = Σₖ X[rows[j], k] W[o, k]; in the gradient dW[o, k] = Σⱼ dZ[o, j] X[rows[j], k]. `rows` are
indices of examples, o counts units. Kernels here also copy CSR rows into dense blocks.
"""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import fill_zero, view, view_row
from ..compiler.definitions import in_training_each, indirect_each
from ..compiler.jit import exact, inlined
from ..records import Matrix
from . import csr_gemm_packed
from .input_access import (
    csr_column,
    csr_find_column,
    csr_row_bounds,
    csr_value,
    each_csr_dtype,
    scaling_of_features,
)
from .input_descriptor import CSR_DTYPE_CODE

#: Units whose weights an element of X is multiplied by, once it is read; 8 units were no faster.
CSR_NR = 4


@inlined
def _scaled(value, wide, k, scaling):
    """Return (value − shift[q] − rest[q]) factor[q] + offset, a number of NumPy scalar type `wide`.

    value: an element of X of feature k, as a `wide`. scaling: an InputScaling. q = k if its vectors
    have a number for each feature, q = 0 if they have one for all features; if they are empty,
    value is returned.
    """
    shift, factor, rest, offset = scaling
    if shift.size > 0:
        q = k if shift.size > 1 else 0
        value = (value - wide(shift[q]) - wide(rest[q])) * wide(factor[q]) + offset
    return value


@inlined
def _gather(dtype, wide, X, rows, first, scaling, block):
    """block[j, k] = X[rows[j], first + k], scaled.   rows (n,); block (n, w) is written.

    X: an Input of CSR rows. dtype: NumPy scalar type of its values; wide: the scalar type in which
    they are scaled, before they are rounded to the block's dtype. rows: indices of examples. first:
    a feature. scaling: an InputScaling of all features.
    """
    number, w = block.dtype.type, block.shape[1]
    own = scaling_of_features(scaling, wide, first, w)
    for j in range(rows.size):
        line = view_row(block, j, 0, w)
        for k in range(w):
            line[k] = number(_scaled(wide(0), wide, k, own))
        p, end = csr_find_column(X, rows[j], first), csr_row_bounds(X, rows[j])[1]
        while p < end and csr_column(X, p) < first + w:
            k = np.intp(csr_column(X, p)) - first
            line[k] = number(_scaled(wide(csr_value(X, p, dtype)), wide, k, own))
            p += 1


def gather_kernel(dtype):
    """Return the kernel that copies and scales blocks of CSR rows whose values have a given dtype.

    dtype: the NumPy scalar type np.float32 or np.float64. The kernel scales float64 in float64,
    float32 in the network's dtype.
    """

    def gather(X, rows, first, scaling, block):
        """block[j, k] = X[rows[j], first + k], scaled in the network's dtype.

        X: an Input of CSR rows; rows (n,): indices of examples; first: a feature; scaling: an
        InputScaling of all features; block (n, w): written.
        """
        _gather(dtype, block.dtype.type, X, rows, first, scaling, block)

    def gather_wide(X, rows, first, scaling, block):
        """block[j, k] = X[rows[j], first + k], scaled in float64.

        X: an Input of CSR rows; rows (n,): indices of examples; first: a feature; scaling: an
        InputScaling of all features; block (n, w): written.
        """
        _gather(dtype, np.float64, X, rows, first, scaling, block)

    return gather_wide if dtype == np.float64 else gather


@exact  # LLVM would otherwise gather by vectors of indices, which takes twice as long.
def _dot4(dtype, X, i, w0, w1, w2, w3):
    """Return four numbers Σₖ X[i, k] wⱼ[k], j = 0 … 3: example i times the weights of four units.

    X: an Input of CSR rows; dtype: NumPy scalar type of its values. w0 … w3 (n_in,): vectors of the
    network's dtype, in which the sums are computed.
    """
    number = w0.dtype.type
    a = b = c = d = number(0)
    first, last = csr_row_bounds(X, i)
    for p in range(first, last):
        k, x = csr_column(X, p), number(csr_value(X, p, dtype))
        a += x * w0[k]
        b += x * w1[k]
        c += x * w2[k]
        d += x * w3[k]
    return a, b, c, d


@exact
def _dot(dtype, X, i, w):
    """Return the number Σₖ X[i, k] w[k]: example i times the weights w (n_in,) of a unit.

    X: an Input of CSR rows; dtype: NumPy scalar type of its values. The sum has the dtype of w.
    """
    number = w.dtype.type
    a = number(0)
    first, last = csr_row_bounds(X, i)
    for p in range(first, last):
        a += number(csr_value(X, p, dtype)) * w[csr_column(X, p)]
    return a


def _forward_kernel(dtype):
    """Return the kernel of Z += W X[rows]ᵀ for CSR rows with values of NumPy scalar type dtype."""

    def forward(n_out, X, rows, W, Z):
        """Z[o, j] += Σₖ X[rows[j], k] W[o, k] for o < n_out and j < m.

        X: an Input of CSR rows; rows (m,): indices of examples. W: a Matrix (n_out, n_in) whose
        leading dimension is n_in; Z: a Matrix (n_out, m).
        """
        weights, w, n_in = W
        out, z, ld = Z
        fours = n_out // CSR_NR * CSR_NR
        for o in range(0, fours, CSR_NR):
            w0 = view(weights, w + o * n_in, n_in)
            w1 = view(weights, w + (o + 1) * n_in, n_in)
            w2 = view(weights, w + (o + 2) * n_in, n_in)
            w3 = view(weights, w + (o + 3) * n_in, n_in)
            for j in range(rows.size):
                a, b, c, d = _dot4(dtype, X, rows[j], w0, w1, w2, w3)
                at = z + o * ld + j
                out[at] += a
                out[at + ld] += b
                out[at + 2 * ld] += c
                out[at + 3 * ld] += d
        for o in range(fours, n_out):
            w0 = view(weights, w + o * n_in, n_in)
            for j in range(rows.size):
                out[z + o * ld + j] += _dot(dtype, X, rows[j], w0)

    return forward


@inlined
def _scatter4(dtype, X, rows, dZ, grad, c, n_in):
    """grad[c + o · n_in + k] += Σⱼ dZ[o, j] X[rows[j], k] for the units o = 0 … 3 and all k < n_in.

    grad: a flat vector, which holds dW (4, n_in) from index c on. dZ: a Matrix (4, m). X: an Input
    of CSR rows; dtype: NumPy scalar type of its values. rows (m,): indices of examples.
    """
    slopes, d, ld = dZ
    number = grad.dtype.type
    w0, w1 = view(grad, c, n_in), view(grad, c + n_in, n_in)
    w2, w3 = view(grad, c + 2 * n_in, n_in), view(grad, c + 3 * n_in, n_in)
    for j in range(rows.size):
        at = d + j
        a, b, e, f = slopes[at], slopes[at + ld], slopes[at + 2 * ld], slopes[at + 3 * ld]
        first, last = csr_row_bounds(X, rows[j])
        for p in range(first, last):
            k, x = csr_column(X, p), number(csr_value(X, p, dtype))
            w0[k] += x * a
            w1[k] += x * b
            w2[k] += x * e
            w3[k] += x * f


def _backward_kernel(dtype):
    """Return the kernel of dW = dZ X[rows] for CSR rows with values of NumPy scalar type dtype."""

    def backward(n_out, X, rows, dZ, dW):
        """dW[o, k] = Σⱼ dZ[o, j] X[rows[j], k] for o < n_out ≤ CSR_NR and all features k.

        X: an Input of CSR rows; rows (m,): indices of examples. dZ: a Matrix (n_out, m); dW: a
        Matrix (n_out, n_in), contiguous, overwritten.
        """
        slopes, d, ld = dZ
        grad, c, n_in = dW
        number = grad.dtype.type
        fill_zero(view(grad, c, n_out * n_in))
        if n_out == CSR_NR:
            _scatter4(dtype, X, rows, dZ, grad, c, n_in)
        for o in range(n_out if n_out < CSR_NR else 0):
            w = view(grad, c + o * n_in, n_in)
            for j in range(rows.size):
                a = slopes[d + o * ld + j]
                first, last = csr_row_bounds(X, rows[j])
                for p in range(first, last):
                    w[csr_column(X, p)] += number(csr_value(X, p, dtype)) * a

    return backward


_forward = indirect_each("i X I1 Matrix Matrix", each_csr_dtype(_forward_kernel))
_backward = indirect_each(
    "i X I1 Matrix Matrix", in_training_each(each_csr_dtype(_backward_kernel))
)


@inlined
def csr_forward(table, n_out, X, rows, W, Z, scratch):
    """Z[o, j] += Σₖ X[rows[j], k] W[o, k] for o < n_out and j < m.

    X: an Input of CSR rows; rows (m,): indices of examples. W: a Matrix (n_out, n_in), contiguous;
    Z: a Matrix (n_out, m). Before the call every Z[o, j] of a unit o is one number, its bias.
    table: the kernel pointers. scratch (size,): memory in which W is packed, if it fits.
    """
    if csr_gemm_packed.fits(scratch, n_out, W.ld):
        csr_gemm_packed.csr_packed_forward(table, n_out, X, rows, W, Z, scratch)
    else:
        _forward(table, X.dtype_code - CSR_DTYPE_CODE, n_out, X, rows, W, Z)


@inlined
def csr_backward(table, n_out, X, rows, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] X[rows[j], k] for this thread's share of the units o < n_out, all k.

    X: an Input of CSR rows; rows (m,): indices of examples. dZ: a Matrix (n_out, m); dW: a Matrix
    (n_out, n_in), contiguous, overwritten. table: the kernel pointers. scratch (size,): this
    thread's memory, in which dW is summed as a packed panel, if it fits. Tiles of units are dealt
    out to the threads of the Team `team` in turn.
    """
    slopes, d, ld = dZ
    grad, c, n_in = dW
    packed = csr_gemm_packed.fits(scratch, n_out, n_in)
    if packed:
        csr_gemm_packed.csr_packed_backward(table, n_out, X, rows, dZ, dW, scratch, team)
    for tile in range(team.tid, 0 if packed else (n_out + CSR_NR - 1) // CSR_NR, team.n_threads):
        o = tile * CSR_NR
        dZ_o, dW_o = Matrix(slopes, d + o * ld, ld), Matrix(grad, c + o * n_in, n_in)
        kernel = X.dtype_code - CSR_DTYPE_CODE
        _backward(table, kernel, min(CSR_NR, n_out - o), X, rows, dZ_o, dW_o)
