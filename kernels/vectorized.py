"""The course's own formulas in plain NumPy: what the lesson recommends, and the fallback.

Same names, signatures and shapes as `loops`.
"""

from __future__ import annotations

import sys

import numpy as np

from .opcodes import LEAK, Purpose
from .steps import bind

available = True


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    return float(np.dot(x, y))


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    A[...] = (X - shift) * factor + offset


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    np.matmul(X, W, out=Z)
    Z += b


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    if dX is not None:
        np.matmul(dZ, W.T, out=dX)
    dW[...] = X.T @ dZ  # dW may lie transposed, where matmul(out=dW) would miss BLAS
    np.sum(dZ, axis=0, out=db)


def identity(Z, A):
    """A = Z.   A (m, n) out; Z (m, n)."""
    A[...] = Z


def sigmoid(Z, A):
    """A = 1 / (1 + e^−Z).   A (m, n) out; Z (m, n). e^−|Z| never overflows."""
    e = np.exp(-np.abs(Z))
    A[...] = np.where(Z >= 0, 1, e) / (1 + e)


def tanh(Z, A):
    """A = tanh Z.   A (m, n) out; Z (m, n)."""
    np.tanh(Z, out=A)


def relu(Z, A):
    """A = max(0, Z).   A (m, n) out; Z (m, n)."""
    np.maximum(Z, 0, out=A)


def leaky_relu(Z, A):
    """A = Z, or Z/100 below zero.   A (m, n) out; Z (m, n)."""
    A[...] = np.where(Z < 0, LEAK * Z, Z)


def identity_backward(dA, Z, A, dZ):
    """dZ = dA.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA


def sigmoid_backward(dA, Z, A, dZ):
    """dZ = dA A (1 − A).   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * A * (1 - A)


def tanh_backward(dA, Z, A, dZ):
    """dZ = dA (1 − A²).   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = dA * (1 - A * A)


def relu_backward(dA, Z, A, dZ):
    """dZ = dA where A > 0, else 0.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = np.where(A > 0, dA, 0)


def leaky_relu_backward(dA, Z, A, dZ):
    """dZ = dA, or dA/100 where A < 0.   dZ (m, n) out; dA, Z, A (m, n)."""
    dZ[...] = np.where(A < 0, LEAK * dA, dA)


def softmax(Z, A):
    """A = exp(Z) / Σ exp(Z) in each row, the row's maximum taken off first.   A, Z (m, K)."""
    np.exp(Z - Z.max(axis=1, keepdims=True), out=A)
    A /= A.sum(axis=1, keepdims=True)


def softmax_backward(dA, Z, A, dZ):
    """dZ = A (dA − Σ dA A) in each row, softmax's Jacobian applied.   All (m, K)."""
    dZ[...] = A * (dA - (dA * A).sum(axis=1, keepdims=True))


def _shares(w):
    """w / Σ w as a column (m, 1), zeros when no example weighs anything.   w (m,)."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)[:, None]


def squared_error(A, Y, w, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    error, share = A - Y, _shares(w)
    dA[...] = share * error
    return float(np.sum(share * error * error, dtype=np.float64) / 2)


def binary_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w (y ln σ(z) + (1−y) ln(1−σ(z))) / Σ w, and its gradient w (σ(z) − y) / Σ w.

    dZ (m, K) out; Z, Y (m, K); w (m,). As max(z, 0) − z y + ln(1 + e^−|z|) no z overflows.
    """
    share = _shares(w)
    losses = np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))
    sigmoid(Z, dZ)
    dZ -= Y
    dZ *= share
    return float(np.sum(share * losses, dtype=np.float64))


def categorical_cross_entropy(Z, Y, w, dZ):
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


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    grad += l2 * theta + l1 * np.sign(theta)
    squares = np.sum(theta * theta, dtype=np.float64)
    return float(l2 / 2 * squares + l1 * np.sum(np.abs(theta), dtype=np.float64))


def gradient_descent(theta, grad, rate):
    """θ ← θ − rate · grad, in place.   theta, grad (p,)."""
    theta -= rate * grad


def adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of Adam, the t-th (from 1), in place.   theta, grad, v, s (p,). As in `loops`."""
    v[...] = beta1 * v + (1 - beta1) * grad
    s[...] = beta2 * s + (1 - beta2) * grad * grad
    v_hat = v / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    theta -= rate * v_hat / (np.sqrt(s_hat) + epsilon)


def philox(counter, key):
    """Return the words (4, n) of n counters (4, n) under key (2 words). As in `loops`."""
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    a, b, c, d = np.asarray(counter, dtype=np.uint64)
    k0, k1 = (np.uint64(k) for k in key)
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (q >> half) ^ b ^ k0, q & mask, (p >> half) ^ d ^ k1, p & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return np.stack([a, b, c, d])


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch). As in `loops`."""
    m = len(order)
    counter = np.zeros((4, (m + 3) // 4), dtype=np.uint64)
    counter[0] = np.arange(counter.shape[1])
    counter[1] = epoch
    words = philox(counter, (seed, Purpose.SHUFFLE << 16)).T.ravel()[:m]
    picks = (words * np.arange(1, m + 1, dtype=np.uint64) >> np.uint64(32)).tolist()
    places = list(range(m))
    for i in range(m - 1, 0, -1):
        j = picks[i]
        places[i], places[j] = places[j], places[i]
    order[...] = places


def all_finite(x):
    """Tell whether no number of x (p,) is NaN or infinite."""
    return bool(np.isfinite(x).all())


forward, predict, evaluate, gradient, update, run, workspace = bind(sys.modules[__name__])
