"""Costs and their gradients, and the counts of right examples."""

from __future__ import annotations

import numpy as np

from ..backend import LossOps
from ..opcodes import Loss
from .activations import _sigmoid, softmax


def _shares(w):
    """w / Σ w as a column (m, 1), zeros when no example weighs anything.   w (m,)."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)[:, None]


def squared_error(A, Y, w, rate, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    error, share = A - Y, _shares(w)
    dA[...] = share * error
    return float(np.sum(share * error * error, dtype=np.float64) / 2)


def binary_cross_entropy(Z, Y, w, rate, dZ):
    """Return −Σ w (y ln σ(z) + (1−y) ln(1−σ(z))) / Σ w, and its gradient w (σ(z) − y) / Σ w.

    dZ (m, K) out; Z, Y (m, K); w (m,). As max(z, 0) − z y + ln(1 + e^−|z|) no z overflows.
    """
    share = _shares(w)
    losses = np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))
    _sigmoid(Z, dZ)
    dZ -= Y
    dZ *= share
    return float(np.sum(share * losses, dtype=np.float64))


def categorical_cross_entropy(Z, Y, w, rate, dZ):
    """Return −Σ w Σₖ yₖ ln softmax(z)ₖ / Σ w, and its gradient w (softmax(z) Σₖ yₖ − y) / Σ w.

    dZ (m, K) out; Z, Y (m, K), a row of Y one-hot or probabilities; w (m,).
    """
    share = _shares(w)
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    softmax(Z, dZ)
    dZ *= Y.sum(axis=1, keepdims=True)
    dZ -= Y
    dZ *= share
    return float(np.sum(share * Y * (log_total - shifted), dtype=np.float64))


def binary_hits(Z, Y, w):
    """Return Σ w over the rows whose every z > 0 agrees with y > ½.   Z, Y (m, K); w (m,)."""
    return float(w[np.all((Z > 0) == (Y > 0.5), axis=1)].sum(dtype=np.float64))


def categorical_hits(Z, Y, w):
    """Return Σ w over the rows whose largest z stands where the largest y does (first of ties)."""
    return float(w[Z.argmax(axis=1) == Y.argmax(axis=1)].sum(dtype=np.float64))


def _each(loss):
    """Lift loss(A, Y, rate) → (ℓ, dℓ/dA) to Σ w Σ ℓ / Σ w and its gradient."""

    def cost(A, Y, w, rate, dA):
        share = _shares(w)
        values, slopes = loss(A, Y, rate)
        dA[...] = share * slopes
        return float(np.sum(share * values, dtype=np.float64))

    return cost


def _absolute(A, Y, rate):
    """|e|, e = A − Y; and the slope."""
    return np.abs(A - Y), np.sign(A - Y)


def _huber(A, Y, delta):
    """½e² up to |e| = δ, δ(|e| − δ/2) beyond; and the slope."""
    e = A - Y
    size = np.abs(e)
    values = np.where(size <= delta, e * e / 2, delta * (size - delta / 2))
    return values, np.clip(e, -delta, delta)


def _quantile(A, Y, tau):
    """max(τ e, (τ−1) e) with e = Y − A; and the slope."""
    e = Y - A
    slopes = np.where(np.isnan(e), e, (1 - tau) * (e < 0) - tau * (e > 0))
    return np.maximum(tau * e, (tau - 1) * e), slopes


def _poisson(A, Y, rate):
    """A − y ln a, 0 ln a = 0: the negative Poisson log-likelihood of the mean a, but for ln y!."""
    a = np.where(Y == 0, 1, A)
    return A - Y * np.log(a), 1 - Y / a


LOSSES = {
    Loss.SQUARED_ERROR: LossOps(squared_error),
    Loss.BINARY_CROSS_ENTROPY: LossOps(binary_cross_entropy, binary_hits),
    Loss.CATEGORICAL_CROSS_ENTROPY: LossOps(categorical_cross_entropy, categorical_hits),
    Loss.ABSOLUTE_ERROR: LossOps(_each(_absolute)),
    Loss.HUBER: LossOps(_each(_huber)),
    Loss.QUANTILE: LossOps(_each(_quantile)),
    Loss.POISSON: LossOps(_each(_poisson)),
}
