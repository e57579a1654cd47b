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
    """Return l2/2 Σ θ² + l1 Σ |θ| as a float; grad[i] ← grad[i] + l2 θ[i] + l1 sign θ[i], in place.

    theta: θ, grad: both (p,); l2, l1: numbers.
    """
    p, found = contiguous(theta), np.empty(2)
    with Outputs(grad) as (g,):
        optimizers.weigh.kernel(p, g, float(l2), float(l1), found)
        optimizers.penalize.kernel(p, g, float(l2), float(l1))
    return float(found[0])


def _step(method):
    """Return the function step(theta, grad, slots, n), one step of the optimiser `method`.

    It changes theta and slots in place. n: a StepNumbers.
    """
    kernel = optimizers.step.kernels[method]

    def step(theta, grad, slots, n):
        """theta (p,) ← theta after a step of the optimiser along grad (p,), in place.

        slots (s, p), s ≤ 2: the optimiser's memory, changed too; n: the StepNumbers of this step.
        """
        empty = np.empty(0, theta.dtype)
        n = StepNumbers._make((int(n.t), *map(float, n[1:7]), int(n.n_decayed)))
        with Outputs(theta, *slots) as (p, *laid):
            kernel(p, contiguous(grad), *laid, *[empty] * (2 - len(laid)), n)

    return checked(method.name.lower(), step)


#: The function step(theta, grad, slots, n) of each Method.
METHODS = {code: _step(code) for code in Method}


def norm(x):
    """Return √Σᵢ x[i]² as a float.   x (p,)."""
    return float(optimizers.norm(contiguous(x)))


def clip(grad, largest_norm, largest_value):
    """grad[i] ← min(max(grad[i], −v), v); then grad ← grad · c / ‖grad‖ if ‖grad‖ > c, in place.

    grad (p,); largest_value: v and largest_norm: c, numbers; 0: no bound. ‖·‖ = √Σ grad².
    """
    with Outputs(grad) as (g,):
        if largest_value:
            optimizers.limit.kernel(g, float(largest_value))
        length = optimizers.norm(g) if largest_norm else 0.0
        if length > largest_norm:
            optimizers.scale.kernel(g, largest_norm / length)


def bound_norms(W, largest):
    """W[:, o] ← W[:, o] · largest / ‖W[:, o]‖ for each unit o with ‖W[:, o]‖ > largest, in place.

    W (n_in, n_out); largest: a number; ‖·‖: the Euclidean norm of a unit's weights (n_in,).
    """
    inside = feature_major(W)
    optimizers.bound_norms.kernel(inside, float(largest))
    if not np.may_share_memory(inside, W):
        W[...] = inside.T


def _draw(kernel, X, rows, rate, seed, layer, epoch, A):
    """A ← kernel(X, one random number for each element).   X, A (m, n); A is written.

    kernel: `random.drop_units.kernel` or `random.add_noise.kernel`, whose rate or deviation is
    `rate`. The number of A[i, k] is a function of (seed, layer, epoch, rows[i], k) alone. rows
    (m,): indices of the examples in the whole training data; seed, layer, epoch: integers.
    """
    with Outputs(A) as (At,):
        numbers = float(rate), int(seed), int(layer), int(epoch)
        kernel(feature_major(X), At, contiguous(rows), 0, X.shape[1], *numbers)


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A[i, k] ← X[i, k] / (1 − rate) if u ≥ rate · 2³², else 0; u: a random 32-bit integer.

    X, A (m, n); A is written. u is a function of (seed, layer, epoch, rows[i], k), integers. rows
    (m,): indices of the examples in the whole training data; rate: the share of elements to drop;
    layer: a number that differs between the layers that draw.
    """
    _draw(random.drop_units.kernel, X, rows, rate, seed, layer, epoch, A)


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A[i, k] ← X[i, k] + deviation · z; z: a standard normal number made by Box and Muller.

    X, A (m, n); A is written. z is a function of (seed, layer, epoch, rows[i], k), integers. rows
    (m,): indices of the examples in the whole training data; layer: a number that differs between
    the layers that draw.
    """
    _draw(random.add_noise.kernel, X, rows, deviation, seed, layer, epoch, A)


def philox(counter, key):
    """Return a tuple of four random integers below 2³², by Philox-4x32-10.

    counter: four integers below 2³²; key: two.
    """
    return tuple(int(word) for word in random.philox_words(*counter, *key))


def shuffle(order, seed, epoch):
    """order ← the random permutation of 0 … m − 1 that the integers seed and epoch determine.

    order (m,), int64, is written.
    """
    with Outputs(order) as (places,):
        random.shuffle.kernel(places, int(seed), int(epoch))


def largest(x):
    """Return maxᵢ |x[i]| as a float: ∞ if an x[i] is infinite or NaN, 0 if p is 0.   x (p,)."""
    return float(optimizers.largest(contiguous(x)))
