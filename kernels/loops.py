"""The readable specification: every op as explicit loops over single numbers.

Nothing here is fast. The other backends are tested against these loops, number by number.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from .opcodes import LEAK, Purpose
from .steps import bind

available = True


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    total = 0.0
    for i in range(len(x)):
        total += float(x[i]) * float(y[i])
    return total


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            k = j if len(shift) > 1 else 0
            A[i, j] = (float(X[i, j]) - float(shift[k])) * float(factor[k]) + offset


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    for i in range(X.shape[0]):
        for j in range(W.shape[1]):
            z = float(b[j])
            for k in range(W.shape[0]):
                z += float(X[i, k]) * float(W[k, j])
            Z[i, j] = z


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    m, n_in, n_out = X.shape[0], W.shape[0], W.shape[1]
    for i in range(m if dX is not None else 0):
        for k in range(n_in):
            dX[i, k] = sum(float(dZ[i, j]) * float(W[k, j]) for j in range(n_out))
    for j in range(n_out):
        db[j] = sum(float(dZ[i, j]) for i in range(m))
        for k in range(n_in):
            dW[k, j] = sum(float(X[i, k]) * float(dZ[i, j]) for i in range(m))


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


def _share(w):
    """1 / Σ w, or 0 when no example weighs anything.   w (m,)."""
    total = sum(float(weight) for weight in w)
    return 1 / total if total > 0 else 0.0


def squared_error(A, Y, w, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    share, cost = _share(w), 0.0
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            error = float(A[i, k]) - float(Y[i, k])
            cost += float(w[i]) * share * error * error / 2
            dA[i, k] = float(w[i]) * share * error
    return cost


def binary_cross_entropy(Z, Y, w, dZ):
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


def categorical_cross_entropy(Z, Y, w, dZ):
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


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    cost = 0.0
    for i in range(len(theta)):
        p = float(theta[i])
        cost += l2 / 2 * p * p + l1 * abs(p)
        grad[i] += l2 * p + l1 * ((p > 0) - (p < 0))
    return cost


def gradient_descent(theta, grad, rate):
    """θ ← θ − rate · grad, in place.   theta, grad (p,)."""
    for i in range(len(theta)):
        theta[i] = float(theta[i]) - rate * float(grad[i])


def adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of Adam, the t-th (from 1), in place.   theta, grad, v, s (p,).

    v ← β₁v + (1−β₁)g, s ← β₂s + (1−β₂)g², θ ← θ − rate · v̂ / (√ŝ + ε) with v̂ = v/(1−β₁ᵗ),
    ŝ = s/(1−β₂ᵗ): Kingma and Ba, arXiv:1412.6980, algorithm 1; letters as in the course.
    """
    for i in range(len(theta)):
        g = float(grad[i])
        v[i] = beta1 * float(v[i]) + (1 - beta1) * g
        s[i] = beta2 * float(s[i]) + (1 - beta2) * g * g
        v_hat = float(v[i]) / (1 - beta1**t)
        s_hat = float(s[i]) / (1 - beta2**t)
        theta[i] = float(theta[i]) - rate * v_hat / (math.sqrt(s_hat) + epsilon)


def philox(counter, key):
    """Return four random 32-bit words, a pure function of counter (4 words) and key (2 words).

    Philox-4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011.
    """
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k0, q & 0xFFFFFFFF, (p >> 32) ^ d ^ k1, p & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch).

    Fisher and Yates from the end; word w of position i picks j = ⌊w (i+1) / 2³²⌋, whose bias is
    below (i+1) / 2³².
    """
    for i in range(len(order)):
        order[i] = i
    for i in range(len(order) - 1, 0, -1):
        word = philox((i // 4, epoch, 0, 0), (seed, Purpose.SHUFFLE << 16))[i % 4]
        j = word * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]


def all_finite(x):
    """Tell whether no number of x (p,) is NaN or infinite."""
    return all(math.isfinite(float(value)) for value in np.ravel(x))


forward, predict, evaluate, gradient, update, run, workspace = bind(sys.modules[__name__])
