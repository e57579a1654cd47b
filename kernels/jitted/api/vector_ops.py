"""Entry points of the compiled ops on flat vectors, and of the ops that draw random numbers.

`checks.checked` has checked the shapes and dtypes of all array arguments before.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Method
from ...records import StepNumbers
from ..ops import optimizers, random
from .checks import checked
from .layout import Outputs, contiguous, feature_major


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add its derivative to grad.   theta, grad (p,).

    grad[i] += l2 θ[i] + l1 sign θ[i]; l2 and l1 are numbers.
    """
    p, found = contiguous(theta), np.empty(2)
    with Outputs(grad) as (g,):
        optimizers.weigh.kernel(p, g, float(l2), float(l1), found)
        optimizers.penalize.kernel(p, g, float(l2), float(l1))
    return float(found[0])


def _step(method):
    """Return step(theta, grad, slots, n), which takes one step of an optimiser."""
    kernel = optimizers.step.kernels[method]

    def step(theta, grad, slots, n):
        """Move theta (p,) along grad (p,) and update slots (s, p), both in place.

        slots: the optimiser's memory, s vectors, at most 2; n: the StepNumbers of this step.
        """
        empty = np.empty(0, theta.dtype)
        n = StepNumbers._make((int(n.t), *map(float, n[1:7]), int(n.n_decayed)))
        with Outputs(theta, *slots) as (p, *laid):
            kernel(p, contiguous(grad), *laid, *[empty] * (2 - len(laid)), n)

    return checked(method.name.lower(), step)


METHODS = {code: _step(code) for code in Method}


def norm(x):
    """Return √Σ x[i]².   x (p,)."""
    return float(optimizers.norm(contiguous(x)))


def clip(grad, largest_norm, largest_value):
    """Clip each element of grad to ±largest_value, then scale grad to norm largest_norm, in place.

    grad (p,) is scaled only if its norm is larger. A bound of 0 means that there is none.
    """
    with Outputs(grad) as (g,):
        if largest_value:
            optimizers.limit.kernel(g, float(largest_value))
        length = optimizers.norm(g) if largest_norm else 0.0
        if length > largest_norm:
            optimizers.scale.kernel(g, largest_norm / length)


def bound_norms(W, largest):
    """Scale each column of W whose norm exceeds `largest` down to that norm, in place.

    W (n_in, n_out); column o holds the weights of unit o.
    """
    inside = feature_major(W)
    optimizers.bound_norms.kernel(inside, float(largest))
    if not np.may_share_memory(inside, W):
        W[...] = inside.T


def _draw(kernel, X, rows, rate, seed, layer, epoch, A):
    """Write A (m, n) from X (m, n) by a kernel that draws a random number for each element.

    The number of A[i, k] is a function of (seed, layer, epoch, rows[i], k) alone. rows (m,): the
    indices of the examples in the whole training data; rate: that of dropout, or a deviation.
    """
    with Outputs(A) as (At,):
        numbers = float(rate), int(seed), int(layer), int(epoch)
        kernel(feature_major(X), At, contiguous(rows), 0, X.shape[1], *numbers)


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A[i, k] = X[i, k] / (1 − rate) if u ≥ rate · 2³², else 0; u a random 32-bit integer.

    A (m, n) out; X (m, n). u is a function of (seed, layer, epoch, rows[i], k); rows (m,): indices
    of the examples in the whole training data; layer: a number that differs between layers.
    """
    _draw(random.drop_units.kernel, X, rows, rate, seed, layer, epoch, A)


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A[i, k] = X[i, k] + deviation · z, z a standard normal number made by Box and Muller.

    A (m, n) out; X (m, n). z is a function of (seed, layer, epoch, rows[i], k); rows (m,): indices
    of the examples in the whole training data; layer: a number that differs between layers.
    """
    _draw(random.add_noise.kernel, X, rows, deviation, seed, layer, epoch, A)


def philox(counter, key):
    """Return four random 32-bit integers, by Philox-4x32-10, of a counter and a key.

    counter: four 32-bit integers; key: two of them.
    """
    return tuple(int(word) for word in random.philox_words(*counter, *key))


def shuffle(order, seed, epoch):
    """Write into order (m,) the random permutation of 0 … m−1 that (seed, epoch) determine."""
    with Outputs(order) as (places,):
        random.shuffle.kernel(places, int(seed), int(epoch))


def largest(x):
    """Return max |x[i]|, or ∞ if some x[i] is infinite or NaN.   x (p,)."""
    return float(optimizers.largest(contiguous(x)))
