"""Batch normalisation over feature-major arrays, X (n_out, ld); formulas as in `kernels/loops`."""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import view_row
from ..compiler.dispatch_table import indirect


@indirect("F2 i F1 F1 i i", requires="batchnorm in training")
def mean_and_variance(X, m, mean, variance, k0, k1):
    """Write mean and biased variance (n_out,) of the rows k0 … k1−1 of X over m examples.

    Sums are of float64.
    """
    for k in range(k0, k1):
        x, total = view_row(X, k, 0, m), 0.0
        for j in range(m):
            total += np.float64(x[j])
        center, square = total / max(m, 1), 0.0
        for j in range(m):
            away = np.float64(x[j]) - center
            square += away * away
        mean[k], variance[k] = center, square / max(m, 1)


@indirect("F2 i BatchNorm F2 i i", requires="batchnorm")
def normalize(X, n, norm, A, k0, k1):
    """A[k0:k1, :n] = γ (X − μ) / √(σ² + ε) + β.   X, A (n_out, ld)."""
    mean, variance, gamma, beta, epsilon = norm
    for k in range(k0, k1):
        x, a = view_row(X, k, 0, n), view_row(A, k, 0, n)
        scale = gamma[k] / np.sqrt(variance[k] + gamma.dtype.type(epsilon))
        for j in range(n):
            a[j] = (x[j] - mean[k]) * scale + beta[k]


@indirect("F2 i i BatchNorm F2 F2 F1 F1 i i", requires="batchnorm in training")
def differentiate(X, m, n, norm, dA, dX, dgamma, dbeta, k0, k1):
    """Write dX (n_out, ld), dγ and dβ (n_out,) of the rows k0 … k1−1 from dA (n_out, ld).

    norm: with μ and σ² of these m examples, which are functions of X. dX is zero in the columns
    m … n−1, beyond the batch.
    """
    mean, variance, gamma, _, epsilon = norm
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
