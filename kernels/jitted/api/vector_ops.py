"""The doors of the compiled ops on flat vectors, and of those that draw random numbers."""

from __future__ import annotations

import numpy as np

from ..ops import optimizers, random
from .layout import Out, agree, features, flat


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    agree(theta, grad)
    p, found = flat(theta), np.empty(2)
    with Out(grad) as (g,):
        optimizers.weigh.kernel(p, g, float(l2), float(l1), found)
        optimizers.penalize.kernel(p, g, float(l2), float(l1))
    return float(found[0])


def gradient_descent(theta, grad, rate):
    """θ ← θ − rate · grad, in place.   theta, grad (p,)."""
    agree(theta, grad)
    with Out(theta) as (p,):
        optimizers.gradient_descent(p, flat(grad), float(rate))


def adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of Adam, the t-th (from 1), in place.   theta, grad, v, s (p,). As in `loops`."""
    agree(theta, grad, v, s)
    with Out(theta, v, s) as (p, v, s):
        numbers = float(rate), float(beta1), float(beta2), float(epsilon), int(t)
        optimizers.adam(p, flat(grad), v, s, *numbers)


def momentum(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · v, in place.   All (p,)."""
    agree(theta, grad, v)
    with Out(theta, v) as (p, v):
        optimizers.momentum(p, flat(grad), v, float(rate), float(beta), float(gain))


def nesterov(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · (βv + gain · g), in place.   All (p,)."""
    agree(theta, grad, v)
    with Out(theta, v) as (p, v):
        optimizers.nesterov(p, flat(grad), v, float(rate), float(beta), float(gain))


def rmsprop(theta, grad, s, rate, beta, epsilon):
    """S ← βs + (1−β)g², θ ← θ − rate · g / (√s + ε), in place.   All (p,)."""
    agree(theta, grad, s)
    with Out(theta, s) as (p, s):
        optimizers.rmsprop(p, flat(grad), s, float(rate), float(beta), float(epsilon))


def decay_weights(theta, factor):
    """θ ← θ (1 − factor), in place: AdamW's decay, before its step.   theta (p,)."""
    with Out(theta) as (p,):
        optimizers.decay_weights(p, float(factor))


def norm(x):
    """Return √Σ x².   x (p,)."""
    return float(optimizers.norm(flat(x)))


def clip(grad, largest_norm, largest_value):
    """Bring every |g| down to largest_value, then the norm to largest_norm; 0: no bound."""
    with Out(grad) as (g,):
        if largest_value:
            optimizers.limit.kernel(g, float(largest_value))
        length = optimizers.norm(g) if largest_norm else 0.0
        if length > largest_norm:
            optimizers.scale.kernel(g, largest_norm / length)


def bound_norms(W, largest):
    """Scale every unit's weights down to that norm, in place.   W (n_in, n_out)."""
    inside = features(W)
    optimizers.bound_norms.kernel(inside, float(largest))
    if not np.may_share_memory(inside, W):
        W[...] = inside.T


def _draw(kernel, X, rows, rate, seed, layer, epoch, A):
    """A from X by the words of (seed, layer, epoch, row, unit).   A, X (m, n); rows (m,)."""
    agree(X, A)
    if rows.shape != (len(X),):
        raise ValueError(f"{len(X)} examples need as many rows, got {rows.shape}")
    with Out(A) as (At,):
        numbers = float(rate), int(seed), int(layer), int(epoch)
        kernel(features(X), At, flat(rows), 0, X.shape[1], *numbers)


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A = X / (1 − rate) where the unit's word is at least rate · 2³², else 0. As in `loops`."""
    _draw(random.dropout.kernel, X, rows, rate, seed, layer, epoch, A)


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A = X + deviation · normal numbers, by Box and Muller. As in `loops`."""
    _draw(random.noise.kernel, X, rows, deviation, seed, layer, epoch, A)


def philox(counter, key):
    """Return the four 32-bit words of a counter (4 words) under a key (2 words)."""
    return tuple(int(word) for word in random.philox(*counter, *key))


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch)."""
    with Out(order) as (places,):
        random.shuffle.kernel(places, int(seed), int(epoch))


def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    return float(optimizers.largest(flat(x)))
