"""Batch normalisation: Ioffe and Szegedy, arXiv:1502.03167, with the biased variance."""

from __future__ import annotations

import numpy as np


def batch_moments(X, mean, variance):
    """Mean and biased variance of every column.   mean, variance (n,) out; X (m, n)."""
    m = max(len(X), 1)
    mean[...] = X.sum(axis=0) / m
    variance[...] = ((X - mean) ** 2).sum(axis=0) / m


def batchnorm_forward(X, mean, variance, gamma, beta, epsilon, A):
    """A = γ (X − μ) / √(σ² + ε) + β.   A (m, n) out; X (m, n); the others (n,)."""
    A[...] = (X - mean) * (gamma / np.sqrt(variance + epsilon)) + beta


def batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, dgamma, dbeta):
    """Derivatives with μ and σ² of the batch themselves functions of X. As in `loops`."""
    inverse = 1 / np.sqrt(variance + epsilon)
    hat = (X - mean) * inverse
    np.sum(dA * hat, axis=0, out=dgamma)
    np.sum(dA, axis=0, out=dbeta)
    dX[...] = gamma * inverse * (dA - (dbeta + hat * dgamma) / len(X))
