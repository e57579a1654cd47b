"""Kernels of custom losses, made of a user's functions of numbers; arrays as in `losses`."""

from __future__ import annotations

import numpy as np

from ...custom_ops import CustomLoss
from ..codegen.pointers import view_row
from ..compiler.custom_kernels import makes_kernels_of
from ..compiler.jit import kernel
from .losses import _categorical_hits


@makes_kernels_of(CustomLoss.family)
def pointwise(loss, cost, slope):
    """Return the kernel of a CustomLoss, with the signature of `losses.cost_and_hits`.

    cost, slope: ℓ and ∂ℓ/∂a, dispatchers of functions of float64 numbers a and y, and of rate if
    the loss has a parameter.
    """
    count_hits = _hits(loss)
    cost, slope = (f if loss.has_parameter else _of_rate_too(f) for f in (cost, slope))

    def custom_loss(code, rate, A, Y, weights, m, dA, scratch, loss_hits):
        """Write loss_hits = (cost, hits) and dA, the cost's gradient by A.   A, Y, dA (K, ld)."""
        # What a user's function raises ends the kernel here, and NaN then ends the fit.
        loss_hits[0], loss_hits[1] = np.nan, 0.0
        share, total = view_row(weights, 0, 0, m), 0.0
        for k in range(A.shape[0]):
            for j in range(m):
                a, y = np.float64(A[k, j]), np.float64(Y[k, j])
                total += np.float64(share[j]) * np.float64(cost(a, y, rate))
                dA[k, j] = share[j] * A.dtype.type(slope(a, y, rate))
        loss_hits[1] = count_hits(A, Y, view_row(weights, 1, 0, m), m, scratch)
        loss_hits[0] = total

    return custom_loss


def _of_rate_too(function):
    """Return a compiled function of (a, y, rate), of a dispatcher of (a, y)."""

    def of_rate_too(a, y, rate):
        """Return function(a, y)."""
        return function(a, y)

    return kernel(of_rate_too)


def _hits(loss):
    """Return the compiled function of (A, Y, w, m, scratch) that adds up w of the right examples.

    loss: a CustomLoss. A, Y (K, ld); w (m,); scratch (3, ld).
    """
    if loss.labels == "categorical":
        return _categorical_hits
    edge, counts = (0.0 if loss.from_logits else 0.5), loss.labels == "binary"

    def binary_hits(A, Y, w, m, scratch):
        """Return the sum of w[j] over j < m with (A[k, j] > edge) = (Y[k, j] > ½) for all k."""
        hits = 0.0
        for j in range(m if counts else 0):
            right = True
            for k in range(A.shape[0]):
                right &= (A[k, j] > edge) == (Y[k, j] > 0.5)
            hits += np.float64(w[j]) if right else 0.0
        return hits

    return kernel(binary_hits)
