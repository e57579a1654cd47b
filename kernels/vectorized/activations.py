"""The activations g and their derivatives, a matrix at a time."""

from __future__ import annotations

import math

import numpy as np

from ..backend import ActivationOps
from ..opcodes import LEAK, SELU_ALPHA, SELU_SCALE, Activation


def _identity(Z, A):
    """A = Z.   A (m, n) out; Z (m, n)."""
    A[...] = Z


def _sigmoid(Z, A):
    """A = 1 / (1 + e^−Z).   A (m, n) out; Z (m, n). e^−|Z| never overflows."""
    e = np.exp(-np.abs(Z))
    A[...] = np.where(Z >= 0, 1, e) / (1 + e)


def _tanh(Z, A):
    """A = tanh Z.   A (m, n) out; Z (m, n)."""
    np.tanh(Z, out=A)


def _relu(Z, A):
    """A = max(0, Z).   A (m, n) out; Z (m, n)."""
    np.maximum(Z, 0, out=A)


def _leaky_relu(Z, A):
    """A = Z, or Z/100 below zero.   A (m, n) out; Z (m, n)."""
    A[...] = np.where(Z < 0, LEAK * Z, Z)


def _identity_backward(dA, Z, A, dZ):
    """dZ = dA.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA


def _sigmoid_backward(dA, Z, A, dZ):
    """dZ = dA A (1 − A).   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * A * (1 - A)


def _tanh_backward(dA, Z, A, dZ):
    """dZ = dA (1 − A²).   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * (1 - A * A)


def _relu_backward(dA, Z, A, dZ):
    """dZ = dA where A > 0, else 0.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = np.where(A > 0, dA, 0)


def _leaky_relu_backward(dA, Z, A, dZ):
    """dZ = dA, or dA/100 where A < 0.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = np.where(A < 0, LEAK * dA, dA)


def softmax(Z, A):
    """A = exp(Z) / Σ exp(Z) in each row, the row's maximum taken off first.   A, Z (m, K)."""
    np.exp(Z - Z.max(axis=1, keepdims=True), out=A)
    A /= A.sum(axis=1, keepdims=True)


def softmax_backward(dA, Z, A, dZ):
    """dZ = A (dA − Σ dA A) in each row, softmax's Jacobian applied.   All (m, K)."""
    dZ[...] = A * (dA - (dA * A).sum(axis=1, keepdims=True))


#: erf has no counterpart in NumPy; the standard library's, number by number.
_erf = np.frompyfunc(math.erf, 1, 1)


def _gauss(Z):
    """Φ(Z), the normal distribution's share below Z."""
    return (1 + _erf(Z / math.sqrt(2)).astype(Z.dtype)) / 2


def _sigma(Z):
    """1 / (1 + e^−Z)."""
    A = np.empty_like(Z)
    _sigmoid(Z, A)
    return A


def _soft(Z):
    """ln(1 + e^Z)."""
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def _elu(Z, A):
    """A = Z, or e^Z − 1 below zero.   A (m, n) out; Z (m, n)."""
    A[...] = np.where(Z < 0, np.expm1(np.minimum(Z, 0)), Z)


def _selu(Z, A):
    """A = λ Z, or λ α (e^Z − 1) below zero.   A (m, n) out; Z (m, n)."""
    A[...] = SELU_SCALE * np.where(Z < 0, SELU_ALPHA * np.expm1(np.minimum(Z, 0)), Z)


def _softplus(Z, A):
    """A = ln(1 + e^Z).   A (m, n) out; Z (m, n)."""
    A[...] = _soft(Z)


def _silu(Z, A):
    """A = Z σ(Z).   A (m, n) out; Z (m, n)."""
    A[...] = Z * _sigma(Z)


def _gelu(Z, A):
    """A = Z Φ(Z).   A (m, n) out; Z (m, n)."""
    A[...] = Z * _gauss(Z)


def _mish(Z, A):
    """A = Z tanh(ln(1 + e^Z)).   A (m, n) out; Z (m, n)."""
    A[...] = Z * np.tanh(_soft(Z))


def _exp(Z, A):
    """A = e^Z.   A (m, n) out; Z (m, n)."""
    np.exp(Z, out=A)


def _elu_backward(dA, Z, A, dZ):
    """dZ = dA, or dA (1 + A) where A < 0.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * np.where(A < 0, 1 + A, 1)


def _selu_backward(dA, Z, A, dZ):
    """dZ = λ dA, or dA (A + λ α) where A < 0.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * np.where(A < 0, A + SELU_SCALE * SELU_ALPHA, SELU_SCALE)


def _softplus_backward(dA, Z, A, dZ):
    """dZ = dA σ(Z).   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * _sigma(Z)


def _silu_backward(dA, Z, A, dZ):
    """dZ = dA σ (1 + Z (1 − σ)).   dZ (m, n) out; dA, Z, A (m, n)."""
    s = _sigma(Z)
    dZ[...] = dA * s * (1 + Z * (1 - s))


def _gelu_backward(dA, Z, A, dZ):
    """dZ = dA (Φ(Z) + Z φ(Z)).   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * (_gauss(Z) + Z * np.exp(-Z * Z / 2) / math.sqrt(2 * math.pi))


def _mish_backward(dA, Z, A, dZ):
    """dZ = dA (t + Z (1 − t²) σ(Z)), t = tanh(ln(1 + e^Z)).   dZ (m, n) out; dA, Z, A (m, n)."""
    t = np.tanh(_soft(Z))
    dZ[...] = dA * (t + Z * (1 - t * t) * _sigma(Z))


def _exp_backward(dA, Z, A, dZ):
    """dZ = dA A.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * A


ACTIVATIONS = {
    Activation.IDENTITY: ActivationOps(_identity, _identity_backward),
    Activation.SIGMOID: ActivationOps(_sigmoid, _sigmoid_backward),
    Activation.TANH: ActivationOps(_tanh, _tanh_backward),
    Activation.RELU: ActivationOps(_relu, _relu_backward),
    Activation.LEAKY_RELU: ActivationOps(_leaky_relu, _leaky_relu_backward),
    Activation.SOFTMAX: ActivationOps(softmax, softmax_backward),
    Activation.ELU: ActivationOps(_elu, _elu_backward),
    Activation.SELU: ActivationOps(_selu, _selu_backward),
    Activation.SOFTPLUS: ActivationOps(_softplus, _softplus_backward),
    Activation.SILU: ActivationOps(_silu, _silu_backward),
    Activation.GELU: ActivationOps(_gelu, _gelu_backward),
    Activation.MISH: ActivationOps(_mish, _mish_backward),
    Activation.EXP: ActivationOps(_exp, _exp_backward),
}
