"""Entry points of the compiled ops on flat vectors, and of the ops that draw random numbers.

`checks.checked` has checked the shapes and dtypes of all array arguments before.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Method
from ...records import StepNumbers
from ..loader.tables import entry_point
from ..requirements import of_method
from ..threads.team import ALONE
from .checks import checked
from .layout import Outputs, contiguous, feature_major


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| as a float; grad[i] ← grad[i] + l2 θ[i] + l1 sign θ[i], in place.

    theta: θ, grad: both (p,); l2, l1: numbers.
    """
    p, found = contiguous(theta), np.empty(2)
    with Outputs(grad) as (g,):
        entry_point("ops.optimizers.weigh", p.dtype)(p, g, float(l2), float(l1), found)
        entry_point("ops.optimizers.penalize", p.dtype)(p, g, float(l2), float(l1))
    return float(found[0])


def _step(method):
    """Return the function step(theta, grad, slots, n), one step of the optimiser `method`.

    It changes theta and slots in place. n: a StepNumbers.
    """
    name = f"ops.optimizers.{of_method(method)}"

    def step(theta, grad, slots, n):
        """theta (p,) ← theta after a step of the optimiser along grad (p,), in place.

        slots (s, p), s ≤ 2: the optimiser's memory, changed too; n: the StepNumbers of this step.
        """
        empty = np.empty(0, theta.dtype)
        n = StepNumbers._make((int(n.t), *map(float, n[1:7]), int(n.n_decayed)))
        with Outputs(theta, *slots) as (p, *laid):
            kernel = entry_point(name, theta.dtype)
            kernel(p, contiguous(grad), *laid, *[empty] * (2 - len(laid)), n)

    return checked(method.name.lower(), step)


#: The function step(theta, grad, slots, n) of each Method.
METHODS = {code: _step(code) for code in Method}


def norm(x):
    """Return √Σᵢ x[i]² as a float.   x (p,)."""
    return entry_point("ops.optimizers.norm", x.dtype)(contiguous(x))


def clip(grad, largest_norm, largest_value):
    """grad[i] ← min(max(grad[i], −v), v); then grad ← grad · c / ‖grad‖ if ‖grad‖ > c, in place.

    grad (p,); largest_value: v and largest_norm: c, numbers; 0: no bound. ‖·‖ = √Σ grad².
    """
    with Outputs(grad) as (g,):
        if largest_value:
            entry_point("ops.optimizers.limit", g.dtype)(g, float(largest_value))
        length = norm(g) if largest_norm else 0.0
        if length > largest_norm:
            entry_point("ops.optimizers.scale", g.dtype)(g, largest_norm / length)


def bound_norms(W, largest):
    """W[:, o] ← W[:, o] · largest / ‖W[:, o]‖ for each unit o with ‖W[:, o]‖ > largest, in place.

    W (n_in, n_out); largest: a number; ‖·‖: the Euclidean norm of a unit's weights (n_in,).
    """
    inside = feature_major(W)
    entry_point("ops.optimizers.bound_norms", W.dtype)(inside, float(largest))
    if not np.may_share_memory(inside, W):
        W[...] = inside.T


def _draw(name, X, rows, rate, seed, layer, epoch, A):
    """A ← the kernel's results, from X and one random number for each element.   X, A (m, n).

    name: of the kernel, "drop_units" or "add_noise"; rate: the share that is dropped, or the
    deviation of the noise. The number of A[i, k] is a function of (seed, layer, epoch, rows[i], k)
    alone. rows (m,): indices of the examples in the whole training data; seed, layer, epoch:
    integers. A is written.
    """
    with Outputs(A) as (At,):
        numbers = float(rate), int(seed), int(layer), int(epoch)
        kernel = entry_point(f"ops.random.{name}", X.dtype)
        kernel(feature_major(X), At, contiguous(rows), 0, X.shape[1], *numbers)


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A[i, k] ← X[i, k] / (1 − rate) if u ≥ rate · 2³², else 0; u: a random 32-bit integer.

    X, A (m, n); A is written. u is a function of (seed, layer, epoch, rows[i], k), integers. rows
    (m,): indices of the examples in the whole training data; rate: the share of elements to drop;
    layer: a number that differs between the layers that draw.
    """
    _draw("drop_units", X, rows, rate, seed, layer, epoch, A)


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A[i, k] ← X[i, k] + deviation · z; z: a standard normal number made by Box and Muller.

    X, A (m, n); A is written. z is a function of (seed, layer, epoch, rows[i], k), integers. rows
    (m,): indices of the examples in the whole training data; layer: a number that differs between
    the layers that draw.
    """
    _draw("add_noise", X, rows, deviation, seed, layer, epoch, A)


def philox(counter, key):
    """Return a tuple of four random integers below 2³², by Philox-4x32-10.

    counter: four integers below 2³²; key: two.
    """
    words = np.empty(4, np.int64)
    entry_point("ops.random.draw_words", np.float64)(*map(int, (*counter, *key)), words)
    return tuple(words.tolist())


def shuffle(order, seed, epoch):
    """order ← the random permutation of 0 … m − 1 that the integers seed and epoch determine.

    order (m,), int64, is written.
    """
    with Outputs(order) as (places,):
        entry_point("ops.random.shuffle_rows", np.float64)(places, int(seed), int(epoch), ALONE)


def largest(x):
    """Return maxᵢ |x[i]| as a float: ∞ if an x[i] is infinite or NaN, 0 if p is 0.   x (p,)."""
    return entry_point("ops.optimizers.largest_of_all", x.dtype)(contiguous(x))
