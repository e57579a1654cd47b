"""The activations g and their derivatives, number by number."""

from __future__ import annotations

import math

import numpy as np

from ..backend import ActivationOps
from ..opcodes import LEAK, SELU_ALPHA, SELU_SCALE, Activation


def _sigmoid(z):
    """σ(z), arranged so that exp never overflows."""
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _each(g, slope):
    """Lift g(z) and g'(z, a) to matrices: A = g(Z) and dZ = dA g'(Z).   All (m, n); A, dZ out."""

    def forward(Z, A):
        for i in range(Z.shape[0]):
            for j in range(Z.shape[1]):
                A[i, j] = g(float(Z[i, j]))

    def backward(dA, Z, A, dZ):
        for i in range(A.shape[0]):
            for j in range(A.shape[1]):
                dZ[i, j] = float(dA[i, j]) * slope(float(Z[i, j]), float(A[i, j]))

    return ActivationOps(forward, backward)


def softmax(Z, A):
    """A = exp(Z) / Σ exp(Z) in each row, the row's maximum taken off first.   A, Z (m, K)."""
    for i in range(Z.shape[0]):
        top = max(float(z) for z in Z[i])
        total = sum(math.exp(float(z) - top) for z in Z[i])
        for j in range(Z.shape[1]):
            A[i, j] = math.exp(float(Z[i, j]) - top) / total


def softmax_backward(dA, Z, A, dZ):
    """dZ = A (dA − Σ dA A) in each row, softmax's Jacobian applied.   All (m, K)."""
    for i in range(A.shape[0]):
        inner = sum(float(dA[i, j]) * float(A[i, j]) for j in range(A.shape[1]))
        for j in range(A.shape[1]):
            dZ[i, j] = float(A[i, j]) * (float(dA[i, j]) - inner)


def _gauss(z):
    """Φ(z), the normal distribution's share below z."""
    return (1 + math.erf(z / math.sqrt(2))) / 2


def _softplus(z):
    """ln(1 + eᶻ), arranged so that exp never overflows."""
    return max(z, 0) + math.log1p(math.exp(-abs(z)))


def _exp(z):
    """eᶻ; infinite where it leaves the range of float64."""
    return float(np.exp(z))


def _gelu_slope(z, a):
    """d/dz z Φ(z) = Φ(z) + z φ(z)."""
    return _gauss(z) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _silu_slope(z, a):
    """d/dz z σ(z) = σ (1 + z (1 − σ))."""
    s = _sigmoid(z)
    return s * (1 + z * (1 - s))


def _mish_slope(z, a):
    """d/dz z t, t = tanh(softplus z): t + z (1 − t²) σ(z)."""
    t = math.tanh(_softplus(z))
    return t + z * (1 - t * t) * _sigmoid(z)


# elu: Clevert et al., arXiv:1511.07289; selu: Klambauer et al., arXiv:1706.02515; silu and gelu:
# Hendrycks and Gimpel, arXiv:1606.08415; mish: Misra, arXiv:1908.08681.
ACTIVATIONS = {
    Activation.IDENTITY: _each(lambda z: z, lambda z, a: 1.0),
    Activation.SIGMOID: _each(_sigmoid, lambda z, a: a * (1 - a)),
    Activation.TANH: _each(math.tanh, lambda z, a: 1 - a * a),
    Activation.RELU: _each(lambda z: 0.0 if z < 0 else z, lambda z, a: 1.0 if a > 0 else 0.0),
    Activation.LEAKY_RELU: _each(
        lambda z: LEAK * z if z < 0 else z, lambda z, a: LEAK if a < 0 else 1.0
    ),
    Activation.SOFTMAX: ActivationOps(softmax, softmax_backward),
    Activation.ELU: _each(
        lambda z: math.expm1(z) if z < 0 else z, lambda z, a: 1 + a if a < 0 else 1.0
    ),
    Activation.SELU: _each(
        lambda z: SELU_SCALE * (SELU_ALPHA * math.expm1(z) if z < 0 else z),
        lambda z, a: a + SELU_SCALE * SELU_ALPHA if a < 0 else SELU_SCALE,
    ),
    Activation.SOFTPLUS: _each(_softplus, lambda z, a: _sigmoid(z)),
    Activation.SILU: _each(lambda z: z * _sigmoid(z), _silu_slope),
    Activation.GELU: _each(lambda z: z * _gauss(z), _gelu_slope),
    Activation.MISH: _each(lambda z: z * math.tanh(_softplus(z)), _mish_slope),
    Activation.EXP: _each(_exp, lambda z, a: a),
}
