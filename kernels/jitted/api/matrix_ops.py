"""Entry points of the compiled ops on matrices (m, n), one example in each row.

Each kernel is compiled once for each dtype, for one memory layout; an array is copied only if its
layout is another. `standardize` and `product` check shapes and dtypes themselves; for all other ops
`checks.checked` has checked them before.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ...backend import ActivationOps, LossOps
from ...opcodes import CLASSIFYING, Activation, Loss
from ..codegen.cpu import pack_size
from ..loader.tables import entry_point, kernel_pointers
from ..records import BETA_ONE, BETA_ZERO, BatchNorm
from ..requirements import of_activation, of_derivative, of_loss
from ..threads.scratch import scratch
from .checks import checked
from .layout import Outputs, as_one_row, check_alike, check_shape, contiguous, feature_major


def dot(x, y):
    """Return Σᵢ x[i] y[i] as a float.   x, y (n,)."""
    return entry_point("ops.dense.dot", x.dtype)(contiguous(x), contiguous(y))


def standardize(X, shift, factor, offset, A):
    """A[i, k] ← (X[i, k] − shift[k]) · factor[k] + offset.   X, A (m, n); A is written.

    shift, factor: both (n,), a number for each column, or both (1,), one for all; offset: a number.
    X and A have one dtype; shift and factor have one dtype, and are rounded to that of X.
    """
    check_alike(X, A)
    check_alike(shift, factor)
    check_shape(shift, *((1,) if shift.shape == (1,) else X.shape[1:]), like=shift)
    inside = A if A.flags.c_contiguous else np.empty(A.shape, A.dtype)
    shift, factor = (contiguous(v.astype(X.dtype, copy=False)) for v in (shift, factor))
    standardize_rows = entry_point("first_layer.scaled_gather.standardize", X.dtype)
    standardize_rows(feature_major(X.T), shift, factor, float(offset), inside)
    if inside is not A:
        A[...] = inside


def product(A, B, C, transpose_a=False, transpose_b=False):
    """C ← A B, with Aᵀ in place of A if transpose_a, and Bᵀ in place of B if transpose_b.

    C (M, N) is written; A is (M, K), or (K, M) if transpose_a; B is (K, N), or (N, K) if
    transpose_b. All have one dtype, float32 or float64, and any memory order.
    """
    _product(A.T if transpose_a else A, B.T if transpose_b else B, C, BETA_ZERO)


@cache
def _compiled_product(dtype):
    """Return (function, pointers): `multiply_matrices` compiled for a dtype, its first argument.

    dtype: float32 or float64; pointers (kernels,): the table of kernel pointers.
    """
    requirements = frozenset({"product", "tiles", "matrix product"})
    pointers = kernel_pointers(dtype, requirements)
    return entry_point("gemm.blocked.multiply_matrices", dtype), pointers


def _flat_operand(X):
    """Return the fields of an Operand with offset 0, a tuple, for X (m, n).

    Its vector (m · n,) is writable: a view if X is writable and in C or Fortran order, else a copy.
    A kernel takes any tuple for a record, and a plain one is made faster.
    """
    flags = X.flags
    if flags.carray:
        return X.ravel(), 0, X.shape[1], 1
    if flags.farray:
        return X.T.ravel(), 0, 1, X.shape[0]
    return _flat_operand(X.copy())


def _product(A, B, C, beta_mode):
    """C[i, j] ← Σₖ A[i, k] B[k, j] if beta_mode is BETA_ZERO, C[i, j] + that sum if BETA_ONE.

    A (M, K), B (K, N); C (M, N): written, and with BETA_ONE read. All are of one dtype and of any
    memory order. If K is 0, the sum is 0.
    """
    # Subclasses are converted, for np.matrix has no vectors: its ravel() returns a matrix.
    if not type(A) is type(B) is type(C) is np.ndarray:
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
        packed = scratch(pack_size(), dtype)
        factors = _flat_operand(A), _flat_operand(B)
        multiply(pointers, M, N, K, *factors, C.ravel(), beta_mode, packed)
    elif beta_mode == BETA_ZERO:
        C[...] = 0


def dense_forward(X, W, b, Z):
    """Z[i, o] ← Σₖ X[i, k] W[k, o] + b[o] for all examples i and units o.

    Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,).
    """
    Z[...] = b
    _product(X, W, Z, BETA_ONE)


def dense_backward(X, W, dZ, dX, dW, db):
    """dX ← dZ Wᵀ, dW ← Xᵀ dZ, db[o] ← Σᵢ dZ[i, o]: the gradients of a dense layer Z = X W + b.

    Read: X (m, n_in), W (n_in, n_out), dZ (m, n_out). Written: dX (m, n_in), dW (n_in, n_out), db
    (n_out,). dX may be None: it is not computed then.
    """
    if dX is not None:
        _product(dZ, W.T, dX, BETA_ZERO)
    _product(X.T, dZ, dW, BETA_ZERO)
    _bias_gradient(dZ, db)


def _bias_gradient(dZ, db):
    """db[o] ← Σᵢ dZ[i, o].   dZ (m, n_out); db (n_out,), written."""
    with Outputs(db) as (sums,):
        bias_gradient = entry_point("ops.dense.bias_gradient", dZ.dtype)
        bias_gradient(feature_major(dZ), len(dZ), sums, 0, len(sums))


def mixed_forward(X, W, b, Z):
    """Z ← r(X) r(W) + b, r rounding to bfloat16: `dense_forward` of rounded X and W."""
    from ...bfloat16 import rounded  # no fit or prediction calls this op

    dense_forward(rounded(X), rounded(W), b, Z)


def mixed_backward(X, W, dZ, dX, dW, db):
    """dX ← r(dZ) r(W)ᵀ, dW ← r(X)ᵀ r(dZ), db[o] ← Σᵢ dZ[i, o]: as `dense_backward`, but rounded.

    The sums db are those of dZ as it is.
    """
    from ...bfloat16 import rounded  # no fit or prediction calls this op

    narrow = rounded(dZ)
    if dX is not None:
        _product(narrow, rounded(W).T, dX, BETA_ZERO)
    _product(rounded(X).T, narrow, dW, BETA_ZERO)
    _bias_gradient(dZ, db)


def _forward(activation):
    """Return the function forward(Z, A) of an Activation g: A = g(Z).   Z, A (m, n)."""
    name = f"ops.activations.{of_activation(activation)}"

    def forward(Z, A):
        """A[i, k] ← g(Z[i, k]), or A[i] ← softmax(Z[i]) for each row i.   A, Z (m, n)."""
        kernel = entry_point(name, Z.dtype)
        line = as_one_row(Z, A) if activation != Activation.SOFTMAX else None
        if line:  # g acts on single elements, so the matrix is passed as one row (1, m n)
            kernel(*line, 0, A.size, 0, 1, line[0])
            return
        with Outputs(A) as (At,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            kernel(feature_major(Z), At, 0, m, 0, n, scratch)

    return checked(activation.name.lower(), forward)


def _backward(activation):
    """Return the function backward(dA, Z, A, dZ) of an Activation g: dZ = dA g'(Z); all (m, n)."""
    name = f"ops.activations.{of_derivative(activation)}"

    def backward(dA, Z, A, dZ):
        """dZ[i, k] ← dA[i, k] g'(Z[i, k]), for all examples i and units k.

        Softmax: dZ[i, k] ← A[i, k] (dA[i, k] − s[i]), s[i] = Σⱼ dA[i, j] A[i, j]. All are (m, n).
        dZ is written; dA, Z and A = g(Z) are read.
        """
        kernel = entry_point(name, Z.dtype)
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


#: The ActivationOps of each Activation.
ACTIVATIONS = {code: ActivationOps(_forward(code), _backward(code)) for code in Activation}


def _shares(w):
    """Return w[j] / Σᵢ w[i] for each example j, or zeros if the sum is 0.   w, result (m,)."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)


def _loss(loss):
    """Return the LossOps of a Loss: cost(A, Y, w, rate, dA), and hits(A, Y, w) if it classifies.

    The compiled kernel computes cost, hits and dA together; cost and hits each call it and return
    their part.
    """
    kernel_name = f"ops.losses.{of_loss(loss)}"

    def compute(A, Y, w, rate, dA):
        """Return [cost, hits]; write dA, the gradient of the cost by A.   A, Y, dA (m, K); w (m,).

        cost = Σᵢ w[i] ℓ(A[i], Y[i]) / Σᵢ w[i]. A: outputs, or logits for cross-entropies; Y:
        targets; w: weights; rate: the parameter of the loss, unused by losses without one.
        """
        m, result = len(A), np.zeros(2)
        weights = np.stack([_shares(w), w])
        with Outputs(dA) as (dAt,):
            scratch = np.empty((3, m), A.dtype)
            arrays = feature_major(A), feature_major(Y), weights
            kernel = entry_point(kernel_name, A.dtype)
            kernel(int(loss), float(rate), *arrays, m, dAt, scratch, result)
        return [float(value) for value in result]

    def cost(A, Y, w, rate, dA):
        """Return Σᵢ w[i] ℓ(A[i], Y[i]) / Σᵢ w[i] as a float; write its gradient by A into dA.

        A, Y, dA (m, K): outputs or logits, targets, gradient; w (m,); rate: the loss's parameter.
        """
        return compute(A, Y, w, rate, dA)[0]

    def hits(A, Y, w):
        """Return Σ w over the examples whose class by A is that by Y, as a float.

        A, Y (m, K): logits and targets; w (m,): weights.
        """
        return compute(A, Y, w, 0.0, np.empty_like(A))[1]

    name = loss.name.lower()
    if loss not in CLASSIFYING:
        return LossOps(checked(name, cost))
    return LossOps(checked(name, cost), checked(f"{name}_hits", hits))


#: The LossOps of each Loss.
LOSSES = {code: _loss(code) for code in Loss}


def batch_moments(X, mean, variance):
    """mean[k] ← Σᵢ X[i, k] / m, variance[k] ← Σᵢ (X[i, k] − mean[k])² / m.   X (m, n).

    mean and variance (n,) are written.
    """
    with Outputs(mean, variance) as (mu, square):
        moments = entry_point("ops.batchnorm.mean_and_variance", X.dtype)
        moments(feature_major(X), len(X), mu, square, 0, len(mean))


def batchnorm_forward(X, mean, variance, gamma, beta, epsilon, A):
    """A[i, k] ← γ[k] (X[i, k] − μ[k]) / √(σ²[k] + ε) + β[k].   X, A (m, n); A is written.

    mean: μ, variance: σ², gamma: γ, beta: β, all (n,); epsilon: ε, a number.
    """
    mean, variance, gamma, beta = map(contiguous, (mean, variance, gamma, beta))
    norm = BatchNorm(mean, variance, gamma, beta, float(epsilon))
    with Outputs(A) as (At,):
        normalize = entry_point("ops.batchnorm.normalize", X.dtype)
        normalize(feature_major(X), len(X), norm, At, 0, len(mean))


def batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, dgamma, dbeta):
    """Write the gradients of A = γ x̂ + β, where x̂ = (X − μ) / √(σ² + ε), by X, γ and β.

    dbeta[k] ← Σᵢ dA[i, k]; dgamma[k] ← Σᵢ dA[i, k] x̂[i, k]; dX[i, k] ← γ[k] / √(σ²[k] + ε) ·
    (dA[i, k] − dbeta[k] / m − x̂[i, k] dgamma[k] / m). mean: μ and variance: σ² must be those of X;
    dX includes their derivatives. X, dA, dX (m, n); mean, variance, gamma, dgamma, dbeta (n,);
    epsilon: ε, a number.
    """
    m, scale = len(X), contiguous(gamma)
    norm = BatchNorm(
        contiguous(mean), contiguous(variance), scale, scale, float(epsilon)
    )  # no derivative depends on β: gamma fills its place
    with Outputs(dX, dgamma, dbeta) as (dXt, dg, db):
        differentiate = entry_point("ops.batchnorm.differentiate", X.dtype)
        differentiate(feature_major(X), m, m, norm, feature_major(dA), dXt, dg, db, 0, len(dg))
