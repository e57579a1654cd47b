"""The activations g and their derivatives, number by number."""

from __future__ import annotations

import math

import numpy as np

from ..opcodes import LEAK, SELU_ALPHA, SELU_SCALE


def _sigmoid(z):
    """σ(z), arranged so that exp never overflows."""
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _forward(g):
    """Lift g(z) to A = g(Z).   A (m, n) out; Z (m, n)."""

    def forward(Z, A):
        for i in range(Z.shape[0]):
            for j in range(Z.shape[1]):
                A[i, j] = g(float(Z[i, j]))

    return forward


def _backward(slope):
    """Lift g'(z, a) to dZ = dA g'(Z).   dZ (m, n) out; dA, Z, A (m, n)."""

    def backward(dA, Z, A, dZ):
        for i in range(A.shape[0]):
            for j in range(A.shape[1]):
                dZ[i, j] = float(dA[i, j]) * slope(float(Z[i, j]), float(A[i, j]))

    return backward


identity = _forward(lambda z: z)
sigmoid = _forward(_sigmoid)
tanh = _forward(math.tanh)
relu = _forward(lambda z: 0.0 if z < 0 else z)
leaky_relu = _forward(lambda z: LEAK * z if z < 0 else z)

identity_backward = _backward(lambda z, a: 1.0)
sigmoid_backward = _backward(lambda z, a: a * (1 - a))
tanh_backward = _backward(lambda z, a: 1 - a * a)
relu_backward = _backward(lambda z, a: 1.0 if a > 0 else 0.0)
leaky_relu_backward = _backward(lambda z, a: LEAK if a < 0 else 1.0)


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
elu = _forward(lambda z: math.expm1(z) if z < 0 else z)
selu = _forward(lambda z: SELU_SCALE * (SELU_ALPHA * math.expm1(z) if z < 0 else z))
softplus = _forward(_softplus)
silu = _forward(lambda z: z * _sigmoid(z))
gelu = _forward(lambda z: z * _gauss(z))
mish = _forward(lambda z: z * math.tanh(_softplus(z)))
exp = _forward(_exp)

elu_backward = _backward(lambda z, a: 1 + a if a < 0 else 1.0)
selu_backward = _backward(lambda z, a: a + SELU_SCALE * SELU_ALPHA if a < 0 else SELU_SCALE)
softplus_backward = _backward(lambda z, a: _sigmoid(z))
silu_backward = _backward(_silu_slope)
gelu_backward = _backward(
    lambda z, a: _gauss(z) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
)
mish_backward = _backward(_mish_slope)
exp_backward = _backward(lambda z, a: a)
