"""Batch normalisation: Ioffe and Szegedy, arXiv:1502.03167, with the biased variance."""

from __future__ import annotations

import math


def batch_moments(X, mean, variance):
    """Mean and biased variance of every column.   mean, variance (n,) out; X (m, n)."""
    m = X.shape[0]
    for k in range(X.shape[1]):
        mean[k] = sum(float(X[i, k]) for i in range(m)) / max(m, 1)
        variance[k] = sum((float(X[i, k]) - float(mean[k])) ** 2 for i in range(m)) / max(m, 1)


def batchnorm_forward(X, mean, variance, gamma, beta, epsilon, A):
    """A = γ (X − μ) / √(σ² + ε) + β.   A (m, n) out; X (m, n); the others (n,)."""
    for k in range(X.shape[1]):
        scale = float(gamma[k]) / math.sqrt(float(variance[k]) + epsilon)
        for i in range(X.shape[0]):
            A[i, k] = (float(X[i, k]) - float(mean[k])) * scale + float(beta[k])


def batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, dgamma, dbeta):
    """Derivatives with μ and σ² of the batch themselves functions of X.

    With x̂ = (X − μ)/√(σ² + ε): dγ = Σ dA x̂, dβ = Σ dA,
    dX = γ/√(σ² + ε) (dA − dβ/m − x̂ dγ/m).   dX (m, n), dgamma, dbeta (n,) out; X, dA (m, n).
    """
    m = X.shape[0]
    for k in range(X.shape[1]):
        inverse = 1 / math.sqrt(float(variance[k]) + epsilon)
        hat = [(float(X[i, k]) - float(mean[k])) * inverse for i in range(m)]
        dgamma[k] = sum(float(dA[i, k]) * hat[i] for i in range(m))
        dbeta[k] = sum(float(dA[i, k]) for i in range(m))
        for i in range(m):
            centred = float(dA[i, k]) - (float(dbeta[k]) + hat[i] * float(dgamma[k])) / m
            dX[i, k] = float(gamma[k]) * inverse * centred
