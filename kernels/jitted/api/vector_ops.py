"""Entry points of the compiled ops on flat vectors, and of those that draw random numbers.

Callers check shapes and dtypes first, with `checks`.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Method
from ...records import StepNumbers
from ..ops import optimizers, random
from .checks import checked
from .layout import Outputs, contiguous, feature_major


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    p, found = contiguous(theta), np.empty(2)
    with Outputs(grad) as (g,):
        optimizers.weigh.kernel(p, g, float(l2), float(l1), found)
        optimizers.penalize.kernel(p, g, float(l2), float(l1))
    return float(found[0])


def _step(method):
    """Return one step of a method, in place.   theta, grad (p,); slots (s, p)."""
    kernel = optimizers.step.kernels[method]

    def step(theta, grad, slots, n):
        empty = np.empty(0, theta.dtype)
        n = StepNumbers._make((int(n.t), *map(float, n[1:7]), int(n.n_decayed)))
        with Outputs(theta, *slots) as (p, *laid):
            kernel(p, contiguous(grad), *laid, *[empty] * (2 - len(laid)), n)

    return checked(method.name.lower(), step)


METHODS = {code: _step(code) for code in Method}


def norm(x):
    """Return √Σ x².   x (p,)."""
    return float(optimizers.norm(contiguous(x)))


def clip(grad, largest_norm, largest_value):
    """Bring every |g| down to largest_value, then the norm to largest_norm; 0: no bound."""
    with Outputs(grad) as (g,):
        if largest_value:
            optimizers.limit.kernel(g, float(largest_value))
        length = optimizers.norm(g) if largest_norm else 0.0
        if length > largest_norm:
            optimizers.scale.kernel(g, largest_norm / length)


def bound_norms(W, largest):
    """Scale every unit's weights down to that norm, in place.   W (n_in, n_out)."""
    inside = feature_major(W)
    optimizers.bound_norms.kernel(inside, float(largest))
    if not np.may_share_memory(inside, W):
        W[...] = inside.T


def _draw(kernel, X, rows, rate, seed, layer, epoch, A):
    """Write A from X by the words of (seed, layer, epoch, row, unit).   A, X (m, n); rows (m,)."""
    with Outputs(A) as (At,):
        numbers = float(rate), int(seed), int(layer), int(epoch)
        kernel(feature_major(X), At, contiguous(rows), 0, X.shape[1], *numbers)


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A = X / (1 − rate) where the unit's word is at least rate · 2³², else 0. As in `loops`."""
    _draw(random.drop_units.kernel, X, rows, rate, seed, layer, epoch, A)


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A = X + deviation · normal numbers, by Box and Muller. As in `loops`."""
    _draw(random.add_noise.kernel, X, rows, deviation, seed, layer, epoch, A)


def philox(counter, key):
    """Return the four 32-bit words of a counter (4 words) under a key (2 words)."""
    return tuple(int(word) for word in random.philox_words(*counter, *key))


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch)."""
    with Outputs(order) as (places,):
        random.shuffle.kernel(places, int(seed), int(epoch))


def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    return float(optimizers.largest(contiguous(x)))
