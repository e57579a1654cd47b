"""The doors of the compiled ops: arrays are laid out as kernels want them, and results back.

Kernels know one layout, so that each compiles once a dtype; a copy is made only where an array
lies otherwise.
"""

from __future__ import annotations

import numpy as np

from ..opcodes import Activation
from . import dense, losses, optimizers, random
from .activations import activate, derive
from .activations import standardize as _standardize


def _features(X):
    """X (m, n) as a writable C-contiguous (n, m): a view where its layout allows."""
    Xt = np.ascontiguousarray(X.T)
    return Xt if Xt.flags.writeable else Xt.copy()


def _flat(x):
    """X (n,) contiguous and writable."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


class _Out:
    """Arrays to be written, laid out as kernels want them; copied back at the end.

    Matrices are results, so their old numbers are not laid out; vectors may be worked on in place.
    """

    def __init__(self, *arrays):
        self.arrays = arrays

    def __enter__(self):
        self.laid = [None if a is None else self._lay(a) for a in self.arrays]
        return self.laid

    @staticmethod
    def _lay(array):
        if array.ndim == 1:
            return _flat(array)
        return array.T if array.flags.f_contiguous else np.empty(array.shape[::-1], array.dtype)

    def __exit__(self, kind, error, trace):
        for array, laid in zip(self.arrays, self.laid, strict=True):
            if array is not None and not np.may_share_memory(array, laid):
                array[...] = laid.T


def _rows(*arrays):
    """The same numbers as (1, size) each, or None where not all lie C-contiguous and writable."""
    if all(a.flags.c_contiguous and a.flags.writeable for a in arrays):
        return [a.reshape(1, -1) for a in arrays]
    return None


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    return float(dense.dot(_flat(x), _flat(y)))


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    inside = A if A.flags.c_contiguous else np.empty(A.shape, A.dtype)
    _standardize(_features(X.T), _flat(shift), _flat(factor), float(offset), inside)
    if inside is not A:
        A[...] = inside


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    with _Out(Z) as (Zt,):
        Zt[...] = b[:, None]
        dense.forward.kernel(_features(W), 0, _features(X), 0, Zt, 0, len(X), 0, len(b))


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    m, n_in, n_out = len(X), *W.shape
    Dt = _features(dZ)
    with _Out(dX, dW, db) as (dXt, dWt, db):
        if dXt is not None:
            dense.backward_input.kernel(_features(W), Dt, dXt, 0, m, 0, n_in)
        dWt[...] = 0
        dense.backward_weights.kernel(Dt, 0, _features(X), 0, m, dWt, 0, 0, n_out)
        dense.backward_biases.kernel(Dt, m, db, 0, n_out)


def _forward(activation):
    """Return g: A = g(Z).   A (m, n) out; Z (m, n)."""

    def forward(Z, A):
        flat = _rows(Z, A) if activation != Activation.SOFTMAX else None
        if flat:  # element by element, whatever the order
            activate.kernel(int(activation), *flat, 0, A.size, 0, 1, flat[0])
            return
        with _Out(A) as (At,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            activate.kernel(int(activation), _features(Z), At, 0, m, 0, n, scratch)

    forward.__doc__ = f"A = {activation.name.lower()}(Z).   A (m, n) out; Z (m, n)."
    return forward


def _backward(activation):
    """Return the derivative: dZ = dA g'(Z).   dZ (m, n) out; dA, Z, A (m, n)."""

    def backward(dA, Z, A, dZ):
        flat = _rows(dA, A, dZ) if activation != Activation.SOFTMAX else None
        if flat:
            derive.kernel(int(activation), *flat, A.size, 0, 1, flat[0])
            return
        with _Out(dZ) as (dZt,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            code = int(activation)
            derive.kernel(code, _features(dA), _features(A), dZt, m, 0, n, scratch)

    backward.__doc__ = f"dZ = dA {activation.name.lower()}'(Z).   All (m, n); dZ out."
    return backward


identity, identity_backward = _forward(Activation.IDENTITY), _backward(Activation.IDENTITY)
sigmoid, sigmoid_backward = _forward(Activation.SIGMOID), _backward(Activation.SIGMOID)
tanh, tanh_backward = _forward(Activation.TANH), _backward(Activation.TANH)
relu, relu_backward = _forward(Activation.RELU), _backward(Activation.RELU)
leaky_relu, leaky_relu_backward = _forward(Activation.LEAKY_RELU), _backward(Activation.LEAKY_RELU)
softmax, softmax_backward = _forward(Activation.SOFTMAX), _backward(Activation.SOFTMAX)


def _shares(w):
    """w / Σ w (m,), zeros when no example weighs anything."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)


def squared_error(A, Y, w, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    with _Out(dA) as (dAt,):
        return losses.squared_error(_features(A), _features(Y), _shares(w), len(A), dAt)


def binary_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w (y ln σ(z) + (1−y) ln(1−σ(z))) / Σ w and write its gradient. As in `loops`."""
    with _Out(dZ) as (dZt,):
        return losses.binary_cross_entropy(_features(Z), _features(Y), _shares(w), len(Z), dZt)


def categorical_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w Σₖ yₖ ln softmax(z)ₖ / Σ w and write its gradient. As in `loops`."""
    with _Out(dZ) as (dZt,):
        scratch = np.empty((3, len(Z)), Z.dtype)
        shares = _shares(w)
        return losses.categorical_cross_entropy(
            _features(Z), _features(Y), shares, len(Z), dZt, scratch
        )


def binary_hits(Z, Y, w):
    """Return Σ w over the rows whose every z > 0 agrees with y > ½.   Z, Y (m, K); w (m,)."""
    return losses.binary_hits(_features(Z), _features(Y), _flat(w), len(Z))


def categorical_hits(Z, Y, w):
    """Return Σ w over the rows whose largest z stands where the largest y does (first of ties)."""
    return losses.categorical_hits(_features(Z), _features(Y), _flat(w), len(Z))


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    with _Out(grad) as (g,):
        return optimizers.penalty(_flat(theta), g, float(l2), float(l1))


def gradient_descent(theta, grad, rate):
    """θ ← θ − rate · grad, in place.   theta, grad (p,)."""
    with _Out(theta) as (p,):
        optimizers.gradient_descent(p, _flat(grad), float(rate))


def adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of Adam, the t-th (from 1), in place.   theta, grad, v, s (p,). As in `loops`."""
    with _Out(theta, v, s) as (p, v, s):
        numbers = float(rate), float(beta1), float(beta2), float(epsilon), int(t)
        optimizers.adam(p, _flat(grad), v, s, *numbers)


def philox(counter, key):
    """Return the four 32-bit words of a counter (4 words) under a key (2 words)."""
    return tuple(int(word) for word in random.philox(*counter, *key))


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch)."""
    with _Out(order) as (places,):
        random.shuffle.kernel(places, int(seed), int(epoch))


def all_finite(x):
    """Tell whether no number of x (p,) is NaN or infinite."""
    return bool(optimizers.all_finite(_flat(x)))
