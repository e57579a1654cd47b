"""Optimisers and what else sweeps over the flat vectors, each in one pass."""

from __future__ import annotations

import numpy as np

from ..opcodes import Method
from ._jit import inlined
from ._link import linked

ADAM = int(Method.ADAM)


@inlined
def gradient_descent(theta, grad, rate):
    """θ ← θ − rate · grad, in place.   theta, grad (p,)."""
    rate = theta.dtype.type(rate)
    for i in range(theta.size):
        theta[i] -= rate * grad[i]


@inlined
def adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of Adam, the t-th (from 1), in place.   theta, grad, v, s (p,). As in `loops`."""
    number = theta.dtype.type
    keep1, add1 = number(beta1), number(1 - beta1)
    keep2, add2 = number(beta2), number(1 - beta2)
    scale1, scale2 = number(1 / (1 - beta1**t)), number(1 / (1 - beta2**t))
    rate, epsilon = number(rate), number(epsilon)
    for i in range(theta.size):
        g = grad[i]
        v[i] = keep1 * v[i] + add1 * g
        s[i] = keep2 * s[i] + add2 * g * g
        theta[i] -= rate * (v[i] * scale1) / (np.sqrt(s[i] * scale2) + epsilon)


@inlined
def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    number = theta.dtype.type
    half, slope, zero, cost = 0.5 * l2, number(l2), number(0), 0.0
    kink = number(l1)
    for i in range(theta.size):
        p = theta[i]
        cost += half * np.float64(p) * np.float64(p) + l1 * np.float64(abs(p))
        sign = kink if p > zero else (-kink if p < zero else zero)
        grad[i] += slope * p + sign
    return cost


@inlined
def all_finite(x):
    """Tell whether no number of x (p,) is NaN or infinite."""
    zero = x.dtype.type(0)
    wrong = 0
    for i in range(x.size):
        wrong += 0 if x[i] - x[i] == zero else 1  # ∞ − ∞ and NaN − NaN are NaN
    return wrong == 0


@linked("i F1 F1 F1 F1 f f f f i")
def step(method, theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of a method, the t-th (from 1), in place.   All (p,); unused slots may be empty."""
    if method == ADAM:
        adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t)
    else:
        gradient_descent(theta, grad, rate)


@linked("F1 F1 f f D1")
def penalize(theta, grad, l2, l1, result):
    """Add `penalty` to result[0] and its derivative to the gradient.   theta, grad (p,)."""
    result[0] += penalty(theta, grad, l2, l1)


@linked("F1 D1")
def check(x, verdict):
    """verdict[0] = 1 if no number of x (p,) is NaN or infinite, else 0."""
    verdict[0] = 1.0 if all_finite(x) else 0.0
