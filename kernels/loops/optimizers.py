"""Optimisers, `StepNumbers` n at a time, and what else goes once over the flat vectors."""

from __future__ import annotations

import math

from ..opcodes import Method


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    cost = 0.0
    for i in range(len(theta)):
        p = float(theta[i])
        cost += l2 / 2 * p * p + l1 * abs(p)
        grad[i] += l2 * p + l1 * ((p > 0) - (p < 0))
    return cost


def gradient_descent(theta, grad, slots, n):
    """θ ← θ − rate · g, in place.   theta, grad (p,); slots (0, p)."""
    for i in range(len(theta)):
        theta[i] = float(theta[i]) - n.rate * float(grad[i])


def adam(theta, grad, slots, n):
    """One step of Adam, in place.   theta, grad (p,); slots (2, p): v and s.

    v ← β₁v + (1−β₁)g, s ← β₂s + (1−β₂)g², θ ← θ − rate · v̂ / (√ŝ + ε) with v̂ = v/(1−β₁ᵗ),
    ŝ = s/(1−β₂ᵗ): Kingma and Ba, arXiv:1412.6980, algorithm 1; letters as in the course.
    """
    v, s = slots
    for i in range(len(theta)):
        g = float(grad[i])
        v[i] = n.beta1 * float(v[i]) + (1 - n.beta1) * g
        s[i] = n.beta2 * float(s[i]) + (1 - n.beta2) * g * g
        v_hat = float(v[i]) / (1 - n.beta1**n.t)
        s_hat = float(s[i]) / (1 - n.beta2**n.t)
        theta[i] = float(theta[i]) - n.rate * v_hat / (math.sqrt(s_hat) + n.epsilon)


def momentum(theta, grad, slots, n):
    """V ← β₁v + gain · g, θ ← θ − rate · v, in place.   theta, grad (p,); slots (1, p): v.

    With gain 1 − β₁, v is the course's average; with the learning rate for gain and 1 for rate, -v
    is the velocity of Sutskever et al. (ICML 2013), which keeps the rates of the steps before.
    """
    v = slots[0]
    for i in range(len(theta)):
        v[i] = n.beta1 * float(v[i]) + n.gain * float(grad[i])
        theta[i] = float(theta[i]) - n.rate * float(v[i])


def nesterov(theta, grad, slots, n):
    """V ← β₁v + gain · g, θ ← θ − rate · (β₁v + gain · g), in place.   slots (1, p): v.

    The look-ahead of Sutskever et al. (ICML 2013), written at the point looked ahead to.
    """
    v = slots[0]
    for i in range(len(theta)):
        g = n.gain * float(grad[i])
        v[i] = n.beta1 * float(v[i]) + g
        theta[i] = float(theta[i]) - n.rate * (n.beta1 * float(v[i]) + g)


def rmsprop(theta, grad, slots, n):
    """S ← β₁s + (1−β₁)g², θ ← θ − rate · g / (√s + ε), in place.   slots (1, p): s.

    Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.
    """
    s = slots[0]
    for i in range(len(theta)):
        g = float(grad[i])
        s[i] = n.beta1 * float(s[i]) + (1 - n.beta1) * g * g
        theta[i] = float(theta[i]) - n.rate * g / (math.sqrt(float(s[i])) + n.epsilon)


def adamw(theta, grad, slots, n):
    """θ ← θ (1 − rate · weight_decay) of the first n_decayed, then a step of Adam, in place.

    theta, grad (p,); slots (2, p). Loshchilov and Hutter, arXiv:1711.05101.
    """
    for i in range(n.n_decayed):
        theta[i] = float(theta[i]) * (1 - n.rate * n.weight_decay)
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
    top = 0.0
    for value in x:
        top = max(top, abs(float(value)))
        if not math.isfinite(float(value)):
            return math.inf
    return top


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
