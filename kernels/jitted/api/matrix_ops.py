"""The doors of the compiled ops: arrays are laid out as kernels want them, and results back.

Kernels know one layout, so that each compiles once a dtype; a copy is made only where an array
lies otherwise.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np

from ...opcodes import Activation, Loss
from ..compiler.dispatch_table import kernel_pointers
from ..first_layer.scaled_gather import standardize as _standardize
from ..gemm.blocked import SPACE, whole
from ..gemm.small_k import BETA_ONE, BETA_ZERO
from ..ops import batchnorm, dense, losses
from ..ops.activations import activate, derive
from ..threads.scratch import scratch
from .layout import Out, agree, features, fit, flat, rows

FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    agree(x, y)
    return float(dense.dot(flat(x), flat(y)))


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    agree(X, A)
    agree(shift, factor)
    fit(shift, *((1,) if shift.shape == (1,) else X.shape[1:]), like=shift)
    inside = A if A.flags.c_contiguous else np.empty(A.shape, A.dtype)
    _standardize(features(X.T), flat(shift), flat(factor), float(offset), inside)
    if inside is not A:
        A[...] = inside


def product(A, B, C, transpose_a=False, transpose_b=False):
    """C = op(A) op(B), op turning a matrix or not.   C (M, N) out; all of any order."""
    _product(A.T if transpose_a else A, B.T if transpose_b else B, C, BETA_ZERO)


@cache
def _whole(dtype):
    """The compiled product of a dtype, and the table of what it needs of the linked kernels.

    Called without Numba's dispatch, which looks at the types of all arguments: 0.2 µs. No other
    types must come here.
    """
    if dtype not in FLOATS:
        raise TypeError(f"products are of float32 or float64, not of {dtype}")
    line, needed = np.empty(0, dtype), kernel_pointers(dtype, frozenset({"product", "tiles"}))
    args = needed, 0, 0, 0, line, 0, 0, line, 0, 0, line, 0, line
    return whole.compile(tuple(map(numba.typeof, args))), needed


def _line(X):
    """X (m, n) of any order as a writable vector, and how far apart in it its rows and columns."""
    flags = X.flags
    if flags.carray:
        return X.ravel(), X.shape[1], 1
    if flags.farray:
        return X.T.ravel(), 1, X.shape[0]
    return _line(X.copy())


def _product(A, B, C, begin):
    """C = A B, or C += A B, as begin says: ZERO or ADD.   A, B, C (M, N) of any order."""
    if not type(A) is type(B) is type(C) is np.ndarray:  # a matrix stays one where it is flattened
        A, B, C = map(np.asarray, (A, B, C))
    (M, K), N = A.shape, B.shape[1]
    dtype = C.dtype
    if len(B) != K or C.shape != (M, N) or A.dtype is not dtype or B.dtype is not dtype:
        fit(A, len(C), len(B), like=C), fit(B, K, C.shape[1], like=C)
    if not C.flags.carray:
        inside = np.array(C, order="C")
        _product(A, B, inside, begin)
        C[...] = inside
    elif C.size and K:
        (a, rs, cs), (b, bk, bj) = _line(A), _line(B)
        multiply, needed = _whole(dtype)
        space = scratch(SPACE, dtype)
        multiply(needed, M, N, K, a, rs, cs, b, bk, bj, C.ravel(), begin, space)
    elif begin == BETA_ZERO:
        C[...] = 0


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    m, (n_in, n_out) = len(X), W.shape
    fit(X, m, n_in, like=W), fit(b, n_out, like=W), fit(Z, m, n_out, like=W)
    Z[...] = b
    _product(X, W, Z, BETA_ONE)


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    m, n_in, n_out = len(X), *W.shape
    fit(X, m, n_in, like=W), fit(dZ, m, n_out, like=W)
    fit(dW, n_in, n_out, like=W), fit(db, n_out, like=W)
    if dX is not None:
        fit(dX, m, n_in, like=W)
        _product(dZ, W.T, dX, BETA_ZERO)
    _product(X.T, dZ, dW, BETA_ZERO)
    with Out(db) as (sums,):
        dense.backward_biases.kernel(features(dZ), m, sums, 0, n_out)


def _forward(activation):
    """Return g: A = g(Z).   A (m, n) out; Z (m, n)."""
    kernel = activate.kernels[activation]

    def forward(Z, A):
        agree(Z, A)
        line = rows(Z, A) if activation != Activation.SOFTMAX else None
        if line:  # element by element, whatever the order
            kernel(*line, 0, A.size, 0, 1, line[0])
            return
        with Out(A) as (At,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            kernel(features(Z), At, 0, m, 0, n, scratch)

    forward.__doc__ = f"A = {activation.name.lower()}(Z).   A (m, n) out; Z (m, n)."
    return forward


def _backward(activation):
    """Return the derivative: dZ = dA g'(Z).   dZ (m, n) out; dA, Z, A (m, n)."""
    kernel = derive.kernels[activation]

    def backward(dA, Z, A, dZ):
        agree(dA, Z, A, dZ)
        line = rows(dA, Z, A, dZ) if activation != Activation.SOFTMAX else None
        if line:
            kernel(*line, A.size, 0, 1, line[0])
            return
        with Out(dZ) as (dZt,):
            m, n = A.shape
            scratch = np.empty((2, m), A.dtype)
            arrays = features(dA), features(Z), features(A), dZt
            kernel(*arrays, m, 0, n, scratch)

    backward.__doc__ = f"dZ = dA {activation.name.lower()}'(Z).   All (m, n); dZ out."
    return backward


identity, identity_backward = _forward(Activation.IDENTITY), _backward(Activation.IDENTITY)
sigmoid, sigmoid_backward = _forward(Activation.SIGMOID), _backward(Activation.SIGMOID)
tanh, tanh_backward = _forward(Activation.TANH), _backward(Activation.TANH)
relu, relu_backward = _forward(Activation.RELU), _backward(Activation.RELU)
leaky_relu, leaky_relu_backward = _forward(Activation.LEAKY_RELU), _backward(Activation.LEAKY_RELU)
softmax, softmax_backward = _forward(Activation.SOFTMAX), _backward(Activation.SOFTMAX)
elu, elu_backward = _forward(Activation.ELU), _backward(Activation.ELU)
selu, selu_backward = _forward(Activation.SELU), _backward(Activation.SELU)
softplus, softplus_backward = _forward(Activation.SOFTPLUS), _backward(Activation.SOFTPLUS)
silu, silu_backward = _forward(Activation.SILU), _backward(Activation.SILU)
gelu, gelu_backward = _forward(Activation.GELU), _backward(Activation.GELU)
mish, mish_backward = _forward(Activation.MISH), _backward(Activation.MISH)
exp, exp_backward = _forward(Activation.EXP), _backward(Activation.EXP)


def _loss_arrays(A, Y, w, *out):
    """Refuse arrays of a loss that do not belong together."""
    agree(A, Y, *out)
    fit(w, len(A), like=A)


def _shares(w):
    """w / Σ w (m,), zeros when no example weighs anything."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)


def squared_error(A, Y, w, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    _loss_arrays(A, Y, w, dA)
    with Out(dA) as (dAt,):
        return losses.squared_error(features(A), features(Y), _shares(w), len(A), dAt)


def binary_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w (y ln σ(z) + (1−y) ln(1−σ(z))) / Σ w and write its gradient. As in `loops`."""
    _loss_arrays(Z, Y, w, dZ)
    with Out(dZ) as (dZt,):
        return losses.binary_cross_entropy(features(Z), features(Y), _shares(w), len(Z), dZt)


def categorical_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w Σₖ yₖ ln softmax(z)ₖ / Σ w and write its gradient. As in `loops`."""
    _loss_arrays(Z, Y, w, dZ)
    with Out(dZ) as (dZt,):
        scratch = np.empty((3, len(Z)), Z.dtype)
        shares = _shares(w)
        return losses.categorical_cross_entropy(
            features(Z), features(Y), shares, len(Z), dZt, scratch
        )


def _robust(loss):
    """Return the cost with a parameter: Σ w ℓ(A, Y; rate) / Σ w, its gradient into dA."""

    def cost(A, Y, w, rate, dA):
        _loss_arrays(A, Y, w, dA)
        with Out(dA) as (dAt,):
            arrays = features(A), features(Y), _shares(w)
            return losses.robust(int(loss), *arrays, len(A), float(rate), dAt)

    cost.__doc__ = f"Return the {loss.name.lower()} cost and write its gradient. As in `loops`."
    return cost


absolute_error, huber = _robust(Loss.ABSOLUTE_ERROR), _robust(Loss.HUBER)
quantile, poisson = _robust(Loss.QUANTILE), _robust(Loss.POISSON)


def batch_moments(X, mean, variance):
    """Mean and biased variance of every column.   mean, variance (n,) out; X (m, n)."""
    for vector in (mean, variance):
        fit(vector, X.shape[1], like=X)
    with Out(mean, variance) as (mu, square):
        batchnorm.moments.kernel(features(X), len(X), mu, square, 0, len(mean))


def batchnorm_forward(X, mean, variance, gamma, beta, epsilon, A):
    """A = γ (X − μ) / √(σ² + ε) + β.   A (m, n) out; X (m, n); the others (n,)."""
    for vector in (mean, variance, gamma, beta):
        fit(vector, X.shape[1], like=X)
    agree(X, A)
    vectors = [flat(v) for v in (mean, variance, gamma, beta)]
    with Out(A) as (At,):
        batchnorm.normalize.kernel(features(X), len(X), *vectors, float(epsilon), At, 0, len(mean))


def batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, dgamma, dbeta):
    """Derivatives with μ and σ² of the batch themselves functions of X. As in `loops`."""
    for vector in (mean, variance, gamma, dgamma, dbeta):
        fit(vector, X.shape[1], like=X)
    agree(X, dA, dX)
    m, vectors = len(X), [flat(v) for v in (mean, variance, gamma)]
    with Out(dX, dgamma, dbeta) as (dXt, dg, db):
        batchnorm.differentiate.kernel(
            features(X), m, m, *vectors, float(epsilon), features(dA), dXt, dg, db, 0, len(dg)
        )


def binary_hits(Z, Y, w):
    """Return Σ w over the rows whose every z > 0 agrees with y > ½.   Z, Y (m, K); w (m,)."""
    _loss_arrays(Z, Y, w)
    return losses.binary_hits(features(Z), features(Y), flat(w), len(Z))


def categorical_hits(Z, Y, w):
    """Return Σ w over the rows whose largest z stands where the largest y does (first of ties)."""
    _loss_arrays(Z, Y, w)
    scratch = np.empty((3, len(Z)), Z.dtype)
    return losses.categorical_hits(features(Z), features(Y), flat(w), len(Z), scratch)
