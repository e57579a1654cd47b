"""Batch normalisation, A = γ (X − μ) / √(σ² + ε) + β, over feature-major arrays X (n_out, ld).

Each feature has its own mean μ, biased variance σ², γ and β: Ioffe and Szegedy, arXiv:1502.03167.
"""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import view_row
from ..compiler.definitions import indirect


@indirect("F2 i F1 F1 i i", requires="batchnorm in training", entrance=True)
def mean_and_variance(X, m, mean, variance, k0, k1):
    """mean[k] = Σⱼ X[k, j] / m, variance[k] = Σⱼ (X[k, j] − mean[k])² / m, for k0 ≤ k < k1, j < m.

    X (n_out, ld), m examples; mean, variance (n_out,) out. Sums are in float64; m = 0 gives 0.
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


@indirect("F2 i BatchNorm F2 i i", requires="batchnorm", entrance=True)
def normalize(X, n, norm, A, k0, k1):
    """A[k, j] = γ[k] (X[k, j] − μ[k]) / √(σ²[k] + ε) + β[k] for k0 ≤ k < k1, j < n.

    X (n_out, ld); A (n_out, ld) out; norm: a BatchNorm record, which holds μ, σ², γ, β and ε.
    """
    mean, variance, gamma, beta, epsilon = norm
    for k in range(k0, k1):
        x, a = view_row(X, k, 0, n), view_row(A, k, 0, n)
        scale = gamma[k] / np.sqrt(variance[k] + gamma.dtype.type(epsilon))
        for j in range(n):
            a[j] = (x[j] - mean[k]) * scale + beta[k]


@indirect("F2 i i BatchNorm F2 F2 F1 F1 i i", requires="batchnorm in training", entrance=True)
def differentiate(X, m, n, norm, dA, dX, dgamma, dbeta, k0, k1):
    """Write dβ[k] = Σⱼ dA[k, j], dγ[k] = Σⱼ dA[k, j] x̂[k, j] and dX[k, :n], for k0 ≤ k < k1.

    dX[k, i] = γ[k] / √(σ²[k] + ε) · (dA[k, i] − dβ[k]/m − x̂[k, i] dγ[k]/m) for examples i < m, and
    0 for m ≤ i < n; x̂[k, i] = (X[k, i] − μ[k]) / √(σ²[k] + ε). norm: a BatchNorm record; its μ and
    σ² are of these m examples, and dX contains their derivatives. X, dA (n_out, ld);
    dX (n_out, ld), dgamma, dbeta (n_out,) out.
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
