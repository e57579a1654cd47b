"""Batch normalisation over rows that lie feature by feature, X (n, m). As in `loops`."""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import view_row
from ..compiler.dispatch_table import indirect


@indirect("F2 i F1 F1 i i", requires="batchnorm in training")
def mean_and_variance(X, m, mean, variance, k0, k1):
    """Mean and biased variance of the rows k0 … k1−1 over m examples, in float64."""
    for k in range(k0, k1):
        x, total = view_row(X, k, 0, m), 0.0
        for j in range(m):
            total += np.float64(x[j])
        center, square = total / max(m, 1), 0.0
        for j in range(m):
            away = np.float64(x[j]) - center
            square += away * away
        mean[k], variance[k] = center, square / max(m, 1)


@indirect("F2 i F1 F1 F1 F1 f F2 i i", requires="batchnorm")
def normalize(X, n, mean, variance, gamma, beta, epsilon, A, k0, k1):
    """A[k0:k1, :n] = γ (X − μ) / √(σ² + ε) + β.   X, A (n_out, ·); the others (n_out,)."""
    for k in range(k0, k1):
        x, a = view_row(X, k, 0, n), view_row(A, k, 0, n)
        scale = gamma[k] / np.sqrt(variance[k] + gamma.dtype.type(epsilon))
        for j in range(n):
            a[j] = (x[j] - mean[k]) * scale + beta[k]


@indirect("F2 i i F1 F1 F1 f F2 F2 F1 F1 i i", requires="batchnorm in training")
def differentiate(X, m, n, mean, variance, gamma, epsilon, dA, dX, dgamma, dbeta, k0, k1):
    """dX, dγ, dβ of the rows k0 … k1−1, dX zero for columns m … n−1 beyond the batch."""
    for k in range(k0, k1):
        x, da, dx = view_row(X, k, 0, m), view_row(dA, k, 0, m), view_row(dX, k, 0, n)
        inverse = gamma.dtype.type(1) / np.sqrt(variance[k] + gamma.dtype.type(epsilon))
        along = across = 0.0
        for j in range(m):
            across += np.float64(da[j])
            along += np.float64(da[j]) * np.float64((x[j] - mean[k]) * inverse)
        dgamma[k], dbeta[k] = along, across
        shift, slope = gamma.dtype.type(across / m), gamma.dtype.type(along / m)
        for j in range(m):
            dx[j] = gamma[k] * inverse * (da[j] - shift - (x[j] - mean[k]) * inverse * slope)
        for j in range(m, n):
            dx[j] = 0
