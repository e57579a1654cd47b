"""Products: dot, dense layers, and the scaling of inputs."""

from __future__ import annotations

import math
import struct

import numpy as np


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


def to_bfloat16(x):
    """Return r(x), a float32 number rounded to bfloat16: its last 16 bits go, nearest even.

    NaN stays NaN; what rounds beyond the largest number of bfloat16 becomes infinite.
    """
    if math.isnan(x):
        return math.nan
    (bits,) = struct.unpack("<I", struct.pack("<f", np.float32(x)))
    kept, gone = bits >> 16, bits & 0xFFFF
    if gone > 0x8000 or (gone == 0x8000 and kept % 2 == 1):
        kept += 1  # the next number away from 0; behind the largest one comes infinity
    return struct.unpack("<f", struct.pack("<I", kept << 16))[0]


def rounded(X):
    """Return the matrix r(X) of the same dtype, each number rounded to bfloat16.   X (m, n)."""
    A = np.empty(X.shape, X.dtype)
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            A[i, j] = to_bfloat16(X[i, j])
    return A


def mixed_forward(X, W, b, Z):
    """Z = r(X) r(W) + b, r rounding to bfloat16.   The shapes are those of `dense_forward`."""
    dense_forward(rounded(X), rounded(W), b, Z)


def mixed_backward(X, W, dZ, dX, dW, db):
    """dX = r(dZ) r(W)ᵀ, dW = r(X)ᵀ r(dZ), db = Σ dZ.   The shapes are those of `dense_backward`.

    Rounding has the derivative 1 here: these are not the slopes of `mixed_forward`, which is
    constant between two jumps.
    """
    dense_backward(rounded(X), rounded(W), rounded(dZ), dX, dW, db)
    for j in range(W.shape[1]):
        db[j] = sum(float(dZ[i, j]) for i in range(X.shape[0]))
