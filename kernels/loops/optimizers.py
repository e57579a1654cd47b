"""Optimisers and what else goes once over the flat vectors."""

from __future__ import annotations

import math


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


def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    top = 0.0
    for value in x:
        top = max(top, abs(float(value)))
        if not math.isfinite(float(value)):
            return math.inf
    return top


def momentum(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · v, in place.   All (p,).

    With gain 1 − β, v is the course's average; with the learning rate for gain and 1 for rate, -v
    is the velocity of Sutskever et al. (ICML 2013), which keeps the rates of the steps before.
    """
    for i in range(len(theta)):
        v[i] = beta * float(v[i]) + gain * float(grad[i])
        theta[i] = float(theta[i]) - rate * float(v[i])


def nesterov(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · (βv + gain · g), in place.   All (p,).

    The look-ahead of Sutskever et al. (ICML 2013), written at the point looked ahead to.
    """
    for i in range(len(theta)):
        g = gain * float(grad[i])
        v[i] = beta * float(v[i]) + g
        theta[i] = float(theta[i]) - rate * (beta * float(v[i]) + g)


def rmsprop(theta, grad, s, rate, beta, epsilon):
    """S ← βs + (1−β)g², θ ← θ − rate · g / (√s + ε), in place.   All (p,).

    Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.
    """
    for i in range(len(theta)):
        g = float(grad[i])
        s[i] = beta * float(s[i]) + (1 - beta) * g * g
        theta[i] = float(theta[i]) - rate * g / (math.sqrt(float(s[i])) + epsilon)


def decay_weights(theta, factor):
    """θ ← θ (1 − factor), in place: AdamW's decay (arXiv:1711.05101), before its step."""
    for i in range(len(theta)):
        theta[i] = float(theta[i]) * (1 - factor)


def norm(x):
    """Return √Σ x².   x (p,)."""
    return math.sqrt(sum(float(value) ** 2 for value in x))


def clip(grad, largest_norm, largest_value):
    """Bring every |g| down to largest_value, then the norm to largest_norm; 0: no bound."""
    for i in range(len(grad)):
        if largest_value and abs(float(grad[i])) > largest_value:
            grad[i] = math.copysign(largest_value, float(grad[i]))
    length = norm(grad) if largest_norm else 0.0
    for i in range(len(grad)):
        if length > largest_norm:
            grad[i] = float(grad[i]) * (largest_norm / length)


def bound_norms(W, largest):
    """Scale every unit's weights down to that norm: Srebro and Shraibman, COLT 2005.

    W (n_in, n_out), in place.
    """
    for j in range(W.shape[1]):
        length = norm(W[:, j])
        for k in range(W.shape[0]):
            if length > largest:
                W[k, j] = float(W[k, j]) * (largest / length)
