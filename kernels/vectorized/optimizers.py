"""Optimisers, `StepNumbers` n at a time, and what else goes once over the flat vectors."""

from __future__ import annotations

import math

import numpy as np

from ..opcodes import Method


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    grad += l2 * theta + l1 * np.sign(theta)
    squares = np.sum(theta * theta, dtype=np.float64)
    return float(l2 / 2 * squares + l1 * np.sum(np.abs(theta), dtype=np.float64))


def gradient_descent(theta, grad, slots, n):
    """θ ← θ − rate · g, in place.   theta, grad (p,); slots (0, p)."""
    theta -= n.rate * grad


def adam(theta, grad, slots, n):
    """One step of Adam, in place.   theta, grad (p,); slots (2, p): v and s. As in `loops`."""
    v, s = slots
    v[...] = n.beta1 * v + (1 - n.beta1) * grad
    s[...] = n.beta2 * s + (1 - n.beta2) * grad * grad
    v_hat = v / (1 - n.beta1**n.t)
    s_hat = s / (1 - n.beta2**n.t)
    theta -= n.rate * v_hat / (np.sqrt(s_hat) + n.epsilon)


def momentum(theta, grad, slots, n):
    """V ← β₁v + gain · g, θ ← θ − rate · v, in place.   theta, grad (p,); slots (1, p): v."""
    v = slots[0]
    v[...] = n.beta1 * v + n.gain * grad
    theta -= n.rate * v


def nesterov(theta, grad, slots, n):
    """V ← β₁v + gain · g, θ ← θ − rate · (β₁v + gain · g), in place.   slots (1, p): v."""
    v = slots[0]
    v[...] = n.beta1 * v + n.gain * grad
    theta -= n.rate * (n.beta1 * v + n.gain * grad)


def rmsprop(theta, grad, slots, n):
    """S ← β₁s + (1−β₁)g², θ ← θ − rate · g / (√s + ε), in place.   slots (1, p): s."""
    s = slots[0]
    s[...] = n.beta1 * s + (1 - n.beta1) * grad * grad
    theta -= n.rate * grad / (np.sqrt(s) + n.epsilon)


def adamw(theta, grad, slots, n):
    """θ ← θ (1 − rate · weight_decay) of the first n_decayed, then a step of Adam, in place."""
    theta[: n.n_decayed] *= 1 - n.rate * n.weight_decay
    adam(theta, grad, slots, n)


METHODS = {
    Method.GRADIENT_DESCENT: gradient_descent,
    Method.ADAM: adam,
    Method.MOMENTUM: momentum,
    Method.NESTEROV: nesterov,
    Method.RMSPROP: rmsprop,
    Method.ADAMW: adamw,
}


def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    top = max(float(np.max(x, initial=0)), -float(np.min(x, initial=0)))
    return math.inf if math.isnan(top) else top


def norm(x):
    """Return √Σ x².   x (p,)."""
    return float(np.sqrt(np.sum(np.square(x, dtype=np.float64))))


def clip(grad, largest_norm, largest_value):
    """Bring every |g| down to largest_value, then the norm to largest_norm; 0: no bound."""
    if largest_value:
        np.clip(grad, -largest_value, largest_value, out=grad)
    if largest_norm and norm(grad) > largest_norm:
        grad *= largest_norm / norm(grad)


def bound_norms(W, largest):
    """Scale every unit's weights down to that norm, in place.   W (n_in, n_out)."""
    lengths = np.sqrt(np.sum(np.square(W, dtype=np.float64), axis=0))
    W *= np.where(lengths > largest, largest / np.maximum(lengths, largest), 1)
