"""Costs and their gradients, and the counts of right examples."""

from __future__ import annotations

import math

import numpy as np

from ..backend import LossOps
from ..opcodes import Loss
from .activations import _sigmoid, softmax


def _share(w):
    """1 / Σ w, or 0 when no example weighs anything.   w (m,)."""
    total = sum(float(weight) for weight in w)
    return 1 / total if total > 0 else 0.0


def squared_error(A, Y, w, rate, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    share, cost = _share(w), 0.0
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            error = float(A[i, k]) - float(Y[i, k])
            cost += float(w[i]) * share * error * error / 2
            dA[i, k] = float(w[i]) * share * error
    return cost


def binary_cross_entropy(Z, Y, w, rate, dZ):
    """Return −Σ w (y ln σ(z) + (1−y) ln(1−σ(z))) / Σ w, and its gradient w (σ(z) − y) / Σ w.

    dZ (m, K) out; Z, Y (m, K); w (m,). As max(z, 0) − z y + ln(1 + e^−|z|) no z overflows.
    """
    share, cost = _share(w), 0.0
    for i in range(Z.shape[0]):
        for k in range(Z.shape[1]):
            z, y = float(Z[i, k]), float(Y[i, k])
            cost += float(w[i]) * share * (max(z, 0) - z * y + math.log1p(math.exp(-abs(z))))
            dZ[i, k] = float(w[i]) * share * (_sigmoid(z) - y)
    return cost


def categorical_cross_entropy(Z, Y, w, rate, dZ):
    """Return −Σ w Σₖ yₖ ln softmax(z)ₖ / Σ w, and its gradient w (softmax(z) Σₖ yₖ − y) / Σ w.

    dZ (m, K) out; Z, Y (m, K), a row of Y one-hot or probabilities; w (m,).
    """
    share, cost = _share(w), 0.0
    softmax(Z, dZ)
    for i in range(Z.shape[0]):
        top = max(float(z) for z in Z[i])
        log_total = math.log(sum(math.exp(float(z) - top) for z in Z[i]))
        mass = sum(float(y) for y in Y[i])
        for k in range(Z.shape[1]):
            cost += float(w[i]) * share * float(Y[i, k]) * (log_total - (float(Z[i, k]) - top))
            dZ[i, k] = float(w[i]) * share * (float(dZ[i, k]) * mass - float(Y[i, k]))
    return cost


def binary_hits(Z, Y, w):
    """Return Σ w over the rows whose every z > 0 agrees with y > ½.   Z, Y (m, K); w (m,)."""
    hits = 0.0
    for i in range(Z.shape[0]):
        if all((Z[i, k] > 0) == (Y[i, k] > 0.5) for k in range(Z.shape[1])):
            hits += float(w[i])
    return hits


def categorical_hits(Z, Y, w):
    """Return Σ w over the rows whose largest z stands where the largest y does (first of ties)."""
    hits = 0.0
    for i in range(Z.shape[0]):
        if list(Z[i]).index(max(Z[i])) == list(Y[i]).index(max(Y[i])):
            hits += float(w[i])
    return hits


def _each(loss):
    """Lift loss(a, y, rate) → (ℓ, dℓ/da) to Σ w Σ ℓ / Σ w and its gradient."""

    def cost(A, Y, w, rate, dA):
        share, total = _share(w), 0.0
        for i in range(A.shape[0]):
            for k in range(A.shape[1]):
                value, slope = loss(float(A[i, k]), float(Y[i, k]), rate)
                total += float(w[i]) * share * value
                dA[i, k] = float(w[i]) * share * slope
        return total

    return cost


def _sign(x):
    """−1, 0 or 1; NaN of NaN."""
    return (x > 0) - (x < 0) if x == x else x


def _absolute(a, y, rate):
    """|e|, e = a − y; the slope is 0 at 0."""
    return abs(a - y), _sign(a - y)


def _huber(a, y, delta):
    """½e² up to |e| = δ, δ(|e| − δ/2) beyond: Huber, Ann. Math. Statist. 35 (1964) 73."""
    e = a - y
    if abs(e) <= delta:
        return e * e / 2, e
    return delta * (abs(e) - delta / 2), delta * _sign(e)


def _quantile(a, y, tau):
    """max(τ e, (τ−1) e) with e = y − a: Koenker and Bassett, Econometrica 46 (1978) 33."""
    e = y - a
    slope = (1 - tau) * (e < 0) - tau * (e > 0) if e == e else e
    return max(tau * e, (tau - 1) * e), slope


def _poisson(a, y, rate):
    """A − y ln a, 0 ln a = 0: the negative Poisson log-likelihood of the mean a, but for ln y!."""
    a = np.float64(a)  # whose logarithm and quotient of zero are no errors
    return (a, 1.0) if y == 0 else (a - y * np.log(a), 1 - y / a)


LOSSES = {
    Loss.SQUARED_ERROR: LossOps(squared_error),
    Loss.BINARY_CROSS_ENTROPY: LossOps(binary_cross_entropy, binary_hits),
    Loss.CATEGORICAL_CROSS_ENTROPY: LossOps(categorical_cross_entropy, categorical_hits),
    Loss.ABSOLUTE_ERROR: LossOps(_each(_absolute)),
    Loss.HUBER: LossOps(_each(_huber)),
    Loss.QUANTILE: LossOps(_each(_quantile)),
    Loss.POISSON: LossOps(_each(_poisson)),
}
