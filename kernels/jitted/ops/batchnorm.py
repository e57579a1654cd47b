"""Batch normalisation, A = γ (X − μ) / √(σ² + ε) + β, over feature-major arrays X (n_out, ld).

Each feature has its own mean μ, biased variance σ², γ and β: Ioffe and Szegedy, arXiv:1502.03167.
"""

from __future__ import annotations

import numpy as np

from ..codegen.pointers import view_row
from ..compiler.dispatch_table import indirect


@indirect("F2 i F1 F1 i i", requires="batchnorm in training")
def mean_and_variance(X, m, mean, variance, k0, k1):
    """Write mean[k] and biased variance[k] of feature X[k, :m] over m examples, for k0 ≤ k < k1.

    X (n_out, ld); mean, variance (n_out,) out. Sums are in float64; for m = 0 both are 0.
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
    """A[k, j] = γ[k] (X[k, j] − μ[k]) / √(σ²[k] + ε) + β[k] for k0 ≤ k < k1, j < n.

    X, A (n_out, ld), A out; norm: a BatchNorm record of μ, σ², γ, β (n_out,) each and ε.
    """
    mean, variance, gamma, beta, epsilon = norm
    for k in range(k0, k1):
        x, a = view_row(X, k, 0, n), view_row(A, k, 0, n)
        scale = gamma[k] / np.sqrt(variance[k] + gamma.dtype.type(epsilon))
        for j in range(n):
            a[j] = (x[j] - mean[k]) * scale + beta[k]


@indirect("F2 i i BatchNorm F2 F2 F1 F1 i i", requires="batchnorm in training")
def differentiate(X, m, n, norm, dA, dX, dgamma, dbeta, k0, k1):
    """Write dβ = Σ dA, dγ = Σ dA x̂ and dX = γ/√(σ² + ε) (dA − dβ/m − x̂ dγ/m), for k0 ≤ k < k1.

    x̂ = (X − μ)/√(σ² + ε); sums go over the m examples. norm: a BatchNorm record with μ and σ² of
    these examples, so that dX contains their derivatives too. X, dA, dX (n_out, ld), dgamma, dbeta
    (n_out,); the last three out. Columns m … n−1 of dX, beyond the batch, become 0.
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
