"""Products: dot, dense layers, and the scaling of inputs."""

from __future__ import annotations

import numpy as np

from ..bfloat16 import rounded


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    return float(np.dot(x, y))


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    A[...] = (X - shift) * factor + offset


def product(A, B, C, transpose_a=False, transpose_b=False):
    """C = op(A) op(B), op turning a matrix or not.   C (M, N) out."""
    np.matmul(A.T if transpose_a else A, B.T if transpose_b else B, out=C)


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    np.matmul(X, W, out=Z)
    Z += b


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    if dX is not None:
        np.matmul(dZ, W.T, out=dX)
    dW[...] = X.T @ dZ  # dW may lie transposed, where matmul(out=dW) would miss BLAS
    np.sum(dZ, axis=0, out=db)


def mixed_forward(X, W, b, Z):
    """Z = r(X) r(W) + b, r rounding to bfloat16.   The shapes are those of `dense_forward`."""
    dense_forward(rounded(X), rounded(W), b, Z)


def mixed_backward(X, W, dZ, dX, dW, db):
    """dX = r(dZ) r(W)ᵀ, dW = r(X)ᵀ r(dZ), db = Σ dZ.   The shapes are those of `dense_backward`."""
    dense_backward(rounded(X), rounded(W), rounded(dZ), dX, dW, db)
    np.sum(dZ, axis=0, out=db)
