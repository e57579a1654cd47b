"""Entry points of the compiled ops on matrices: arrays are laid out for kernels, results back.

Kernels know one layout, and each compiles once a dtype; a copy is made only where an array has
another layout. Callers check shapes and dtypes first, with `checks`, but for `standardize` and
`product`, which do so themselves.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np

from ...backend import ActivationOps, LossOps
from ...opcodes import CLASSIFYING, Activation, Loss
from ..compiler.dispatch_table import kernel_pointers
from ..first_layer.scaled_gather import standardize as _standardize
from ..gemm.blocked import PACK_SIZE, multiply_matrices
from ..gemm.epilogue import BETA_ONE, BETA_ZERO
from ..ops import batchnorm, dense
from ..ops.activations import activate, derive
from ..ops.losses import cost_and_hits
from ..records import BatchNorm
from ..threads.scratch import scratch
from .checks import checked
from .layout import Outputs, as_one_row, check_alike, check_shape, contiguous, feature_major

FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    return float(dense.dot(contiguous(x), contiguous(y)))


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    check_alike(X, A)
    check_alike(shift, factor)
    check_shape(shift, *((1,) if shift.shape == (1,) else X.shape[1:]), like=shift)
    inside = A if A.flags.c_contiguous else np.empty(A.shape, A.dtype)
    _standardize(feature_major(X.T), contiguous(shift), contiguous(factor), float(offset), inside)
    if inside is not A:
        A[...] = inside


def product(A, B, C, transpose_a=False, transpose_b=False):
    """C = op(A) op(B), op turning a matrix or not.   C (M, N) out; all of any order."""
    _product(A.T if transpose_a else A, B.T if transpose_b else B, C, BETA_ZERO)


@cache
def _compiled_product(dtype):
    """Return the compiled product of a dtype, and the table of the kernels that it requires.

    It is called without Numba's dispatch, which looks at the types of all arguments for 0.2 µs;
    arguments of other types would be taken for these.
    """
    if dtype not in FLOATS:
        raise TypeError(f"products are of float32 or float64, not of {dtype}")
    line, pointers = np.empty(0, dtype), kernel_pointers(dtype, frozenset({"product", "tiles"}))
    args = pointers, 0, 0, 0, line, 0, 0, line, 0, 0, line, 0, line
    return multiply_matrices.compile(tuple(map(numba.typeof, args))), pointers


def _flat_operand(X):
    """Return X (m, n) of any order as a writable vector, its row stride and its column stride."""
    flags = X.flags
    if flags.carray:
        return X.ravel(), X.shape[1], 1
    if flags.farray:
        return X.T.ravel(), 1, X.shape[0]
    return _flat_operand(X.copy())


def _product(A, B, C, beta_mode):
    """C = A B for BETA_ZERO, C += A B for BETA_ONE.   A (M, K), B (K, N), C (M, N) of any order."""
    if not type(A) is type(B) is type(C) is np.ndarray:  # a matrix stays one where it is flattened
        A, B, C = map(np.asarray, (A, B, C))
    (M, K), N = A.shape, B.shape[1]
    dtype = C.dtype
    if len(B) != K or C.shape != (M, N) or A.dtype is not dtype or B.dtype is not dtype:
        check_shape(A, len(C), len(B), like=C), check_shape(B, K, C.shape[1], like=C)
    if not C.flags.carray:
        inside = np.array(C, order="C")
        _product(A, B, inside, beta_mode)
        C[...] = inside
    elif C.size and K:
        multiply, pointers = _compiled_product(dtype)
        packed = scratch(PACK_SIZE, dtype)
        factors = *_flat_operand(A), *_flat_operand(B)
        multiply(pointers, M, N, K, *factors, C.ravel(), beta_mode, packed)
    elif beta_mode == BETA_ZERO:
        C[...] = 0


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    Z[...] = b
    _product(X, W, Z, BETA_ONE)


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    if dX is not None:
        _product(dZ, W.T, dX, BETA_ZERO)
    _product(X.T, dZ, dW, BETA_ZERO)
    with Outputs(db) as (sums,):
        dense.bias_gradient.kernel(feature_major(dZ), len(X), sums, 0, len(sums))


def _forward(activation):
    """Return g: A = g(Z).   A (m, n) out; Z (m, n)."""
    kernel = activate.kernels[activation]

    def forward(Z, A):
        line = as_one_row(Z, A) if activation != Activation.SOFTMAX else None
        if line:  # element by element, whatever the order
            kernel(*line, 0, A.size, 0, 1, line[0])
            return
        with Outputs(A) as (At,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            kernel(feature_major(Z), At, 0, m, 0, n, scratch)

    return checked(activation.name.lower(), forward)


def _backward(activation):
    """Return the derivative: dZ = dA g'(Z).   dZ (m, n) out; dA, Z, A (m, n)."""
    kernel = derive.kernels[activation]

    def backward(dA, Z, A, dZ):
        line = as_one_row(dA, Z, A, dZ) if activation != Activation.SOFTMAX else None
        if line:
            kernel(*line, A.size, 0, 1, line[0])
            return
        with Outputs(dZ) as (dZt,):
            m, n = A.shape
            scratch = np.empty((2, m), A.dtype)
            arrays = feature_major(dA), feature_major(Z), feature_major(A), dZt
            kernel(*arrays, m, 0, n, scratch)

    return checked(f"{activation.name.lower()}_backward", backward)


ACTIVATIONS = {code: ActivationOps(_forward(code), _backward(code)) for code in Activation}


def _shares(w):
    """Return w / Σ w (m,), zeros when no example weighs anything."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)


def _loss(loss):
    """Return the kernels of a loss; both take cost and hits from one call of the compiled one."""
    kernel = cost_and_hits.kernels[loss]

    def compute(A, Y, w, rate, dA):
        """Return cost and hits, and write the gradient dA (m, K)."""
        m, result = len(A), np.zeros(2)
        weights = np.stack([_shares(w), w])
        with Outputs(dA) as (dAt,):
            scratch = np.empty((3, m), A.dtype)
            arrays = feature_major(A), feature_major(Y), weights
            kernel(int(loss), float(rate), *arrays, m, dAt, scratch, result)
        return [float(value) for value in result]

    def cost(A, Y, w, rate, dA):
        return compute(A, Y, w, rate, dA)[0]

    def hits(A, Y, w):
        return compute(A, Y, w, 0.0, np.empty_like(A))[1]

    name = loss.name.lower()
    if loss not in CLASSIFYING:
        return LossOps(checked(name, cost))
    return LossOps(checked(name, cost), checked(f"{name}_hits", hits))


LOSSES = {code: _loss(code) for code in Loss}


def batch_moments(X, mean, variance):
    """Mean and biased variance of every column.   mean, variance (n,) out; X (m, n)."""
    with Outputs(mean, variance) as (mu, square):
        batchnorm.mean_and_variance.kernel(feature_major(X), len(X), mu, square, 0, len(mean))


def batchnorm_forward(X, mean, variance, gamma, beta, epsilon, A):
    """A = γ (X − μ) / √(σ² + ε) + β.   A (m, n) out; X (m, n); the others (n,)."""
    mean, variance, gamma, beta = map(contiguous, (mean, variance, gamma, beta))
    norm = BatchNorm(mean, variance, gamma, beta, float(epsilon))
    with Outputs(A) as (At,):
        batchnorm.normalize.kernel(feature_major(X), len(X), norm, At, 0, len(mean))


def batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, dgamma, dbeta):
    """Derivatives with μ and σ² of the batch themselves functions of X. As in `loops`."""
    m, scale = len(X), contiguous(gamma)
    norm = BatchNorm(
        contiguous(mean), contiguous(variance), scale, scale, float(epsilon)
    )  # β does not matter
    with Outputs(dX, dgamma, dbeta) as (dXt, dg, db):
        batchnorm.differentiate.kernel(
            feature_major(X), m, m, norm, feature_major(dA), dXt, dg, db, 0, len(dg)
        )
