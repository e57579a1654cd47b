"""Products: dot, dense layers, and the scaling of inputs."""

from __future__ import annotations


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    total = 0.0
    for i in range(len(x)):
        total += float(x[i]) * float(y[i])
    return total


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            k = j if len(shift) > 1 else 0
            A[i, j] = (float(X[i, j]) - float(shift[k])) * float(factor[k]) + offset


def product(A, B, C, transpose_a=False, transpose_b=False):
    """C = op(A) op(B), op turning a matrix or not.   C (M, N) out."""
    A, B = (A.T if transpose_a else A), (B.T if transpose_b else B)
    for i in range(C.shape[0]):
        for j in range(C.shape[1]):
            C[i, j] = sum(float(A[i, k]) * float(B[k, j]) for k in range(B.shape[0]))


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    for i in range(X.shape[0]):
        for j in range(W.shape[1]):
            z = float(b[j])
            for k in range(W.shape[0]):
                z += float(X[i, k]) * float(W[k, j])
            Z[i, j] = z


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    m, n_in, n_out = X.shape[0], W.shape[0], W.shape[1]
    for i in range(m if dX is not None else 0):
        for k in range(n_in):
            dX[i, k] = sum(float(dZ[i, j]) * float(W[k, j]) for j in range(n_out))
    for j in range(n_out):
        db[j] = sum(float(dZ[i, j]) for i in range(m))
        for k in range(n_in):
            dW[k, j] = sum(float(X[i, k]) * float(dZ[i, j]) for i in range(m))
