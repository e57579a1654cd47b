"""Optimisers and what else goes once over the flat vectors."""

from __future__ import annotations

import math

import numpy as np


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


def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    top = max(float(np.max(x, initial=0)), -float(np.min(x, initial=0)))
    return math.inf if math.isnan(top) else top


def momentum(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · v, in place.   All (p,)."""
    v[...] = beta * v + gain * grad
    theta -= rate * v


def nesterov(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · (βv + gain · g), in place.   All (p,)."""
    v[...] = beta * v + gain * grad
    theta -= rate * (beta * v + gain * grad)


def rmsprop(theta, grad, s, rate, beta, epsilon):
    """S ← βs + (1−β)g², θ ← θ − rate · g / (√s + ε), in place.   All (p,)."""
    s[...] = beta * s + (1 - beta) * grad * grad
    theta -= rate * grad / (np.sqrt(s) + epsilon)


def decay_weights(theta, factor):
    """θ ← θ (1 − factor), in place: AdamW's decay (arXiv:1711.05101), before its step."""
    theta *= 1 - factor


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
