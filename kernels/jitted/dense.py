"""Products of a dense layer, with the examples on the vector lanes.

Inside the jitted backend an activation lies feature by feature, A (n, m), and W as (n_out, n_in):
then every inner loop runs along the examples or along the inputs, contiguously, for narrow layers
as for wide ones. Four rows are taken at once, so that a sum is loaded and stored once for four
products. A caller hands out blocks of rows; each block is computed whole by one thread.
"""

from __future__ import annotations

from ._jit import kernel
from ._link import linked
from .memory import row

INPUTS = 32  # rows of A that stay in the first-level cache while the outputs stream past them


@kernel
def _add4(z, a0, a1, a2, a3, w0, w1, w2, w3):
    """Z += w0 a0 + w1 a1 + w2 a2 + w3 a3.   All (n,)."""
    for j in range(z.size):
        z[j] += w0 * a0[j] + w1 * a1[j] + w2 * a2[j] + w3 * a3[j]


@kernel
def _add1(z, a, w):
    """Z += w a.   Both (n,)."""
    for j in range(z.size):
        z[j] += w * a[j]


@kernel
def _dot4(d, a0, a1, a2, a3):
    """Return d·a0, d·a1, d·a2, d·a3.   All (n,)."""
    s0 = s1 = s2 = s3 = d.dtype.type(0)
    for j in range(d.size):
        s0 += d[j] * a0[j]
        s1 += d[j] * a1[j]
        s2 += d[j] * a2[j]
        s3 += d[j] * a3[j]
    return s0, s1, s2, s3


@kernel
def _dot1(d, a):
    """Return d·a.   Both (n,)."""
    s = d.dtype.type(0)
    for j in range(d.size):
        s += d[j] * a[j]
    return s


@linked("F2 i F2 i F2 i i i i")
def forward(W, k0, A, a, Z, z, n, o0, o1):
    """Z[o0:o1, z:z+n] += W[o0:o1, k0:k0+K] A[:, a:a+n].   W (n_out, n_in); A (K, ·)."""
    K = A.shape[0]
    for i0 in range(0, K, INPUTS):
        i1 = min(i0 + INPUTS, K)
        i4 = i1 - (i1 - i0) % 4
        for o in range(o0, o1):
            total, w = row(Z, o, z, n), row(W, o, k0, K)
            for i in range(i0, i4, 4):
                _add4(
                    total, row(A, i, a, n), row(A, i + 1, a, n), row(A, i + 2, a, n),
                    row(A, i + 3, a, n), w[i], w[i + 1], w[i + 2], w[i + 3],
                )  # fmt: skip
            for i in range(i4, i1):
                _add1(total, row(A, i, a, n), w[i])


@linked("F2 F2 F2 i i i i")
def backward_input(W, dZ, dA, j0, n, i0, i1):
    """dA[i0:i1, j0:j0+n] = W[:, i0:i1]ᵀ dZ[:, j0:j0+n].   W (n_out, n_in); dZ (n_out, ·)."""
    n_out = W.shape[0]
    o4 = n_out - n_out % 4
    for i in range(i0, i1):
        total = row(dA, i, j0, n)
        for j in range(n):
            total[j] = 0
        for o in range(0, o4, 4):
            _add4(
                total, row(dZ, o, j0, n), row(dZ, o + 1, j0, n), row(dZ, o + 2, j0, n),
                row(dZ, o + 3, j0, n), W[o, i], W[o + 1, i], W[o + 2, i], W[o + 3, i],
            )  # fmt: skip
        for o in range(o4, n_out):
            _add1(total, row(dZ, o, j0, n), W[o, i])


@linked("F2 i F2 i i F2 i i i")
def backward_weights(dZ, z, A, a, n, dW, k0, o0, o1):
    """dW[o0:o1, k0:k0+K] += dZ[o0:o1, z:z+n] A[:, a:a+n]ᵀ.   dW (n_out, n_in); A (K, ·)."""
    K = A.shape[0]
    for i0 in range(0, K, INPUTS):
        i1 = min(i0 + INPUTS, K)
        i4 = i1 - (i1 - i0) % 4
        for o in range(o0, o1):
            d, dw = row(dZ, o, z, n), row(dW, o, k0, K)
            for i in range(i0, i4, 4):
                s0, s1, s2, s3 = _dot4(
                    d, row(A, i, a, n), row(A, i + 1, a, n), row(A, i + 2, a, n),
                    row(A, i + 3, a, n),
                )  # fmt: skip
                dw[i] += s0
                dw[i + 1] += s1
                dw[i + 2] += s2
                dw[i + 3] += s3
            for i in range(i4, i1):
                dw[i] += _dot1(d, row(A, i, a, n))


@linked("F2 i F1 i i")
def backward_biases(dZ, m, db, o0, o1):
    """db[o0:o1] = Σ dZ[o0:o1, :m] over the examples.   dZ (n_out, ·); db (n_out,)."""
    for o in range(o0, o1):
        s = db.dtype.type(0)
        d = row(dZ, o, 0, m)
        for j in range(m):
            s += d[j]
        db[o] = s


@kernel
def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    return _dot1(x, y)
