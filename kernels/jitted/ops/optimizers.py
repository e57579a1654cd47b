"""Optimisers and what else sweeps over the flat vectors, each in one pass."""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from ...opcodes import SETTINGS, Method
from ..codegen.float_bits import magnitude, unsigned
from ..codegen.pointers import view, view_row
from ..compiler.dispatch_table import EXTRA_TYPES, indirect, indirect_each
from ..compiler.jit import inlined, kernel

EXTRA_TYPES["S"] = types.Array(numba.from_dtype(SETTINGS), 1, "C")


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
def momentum(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · v, in place.   All (p,)."""
    number = theta.dtype.type
    keep, gain, rate = number(beta), number(gain), number(rate)
    for i in range(theta.size):
        v[i] = keep * v[i] + gain * grad[i]
        theta[i] -= rate * v[i]


@inlined
def nesterov(theta, grad, v, rate, beta, gain):
    """V ← βv + gain · g, θ ← θ − rate · (βv + gain · g), in place.   All (p,)."""
    number = theta.dtype.type
    keep, gain, rate = number(beta), number(gain), number(rate)
    for i in range(theta.size):
        g = gain * grad[i]
        v[i] = keep * v[i] + g
        theta[i] -= rate * (keep * v[i] + g)


@inlined
def rmsprop(theta, grad, s, rate, beta, epsilon):
    """S ← βs + (1−β)g², θ ← θ − rate · g / (√s + ε), in place.   All (p,)."""
    number = theta.dtype.type
    keep, add, rate, epsilon = number(beta), number(1 - beta), number(rate), number(epsilon)
    for i in range(theta.size):
        g = grad[i]
        s[i] = keep * s[i] + add * g * g
        theta[i] -= rate * g / (np.sqrt(s[i]) + epsilon)


@inlined
def decay_weights(theta, factor):
    """θ ← θ (1 − factor), in place.   theta (p,)."""
    keep = theta.dtype.type(1 - factor)
    for i in range(theta.size):
        theta[i] *= keep


@inlined
def _squares(x):
    """Return Σ x² in float64.   x (p,)."""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@kernel
def norm(x):
    """Return √Σ x² in float64.   x (p,)."""
    return np.sqrt(_squares(x))


@indirect("F1 D1", requires="clip")
def square(x, total):
    """Write total = Σ x².   x (p,); total (1,)."""
    total[0] = _squares(x)


@indirect("F1 f", requires="clip")
def scale(x, factor):
    """X ← factor x, in place.   x (p,)."""
    number = x.dtype.type(factor)
    for i in range(x.size):
        x[i] *= number


@indirect("F1 f", requires="clip")
def limit(grad, largest):
    """Bring every |g| down to that.   grad (p,)."""
    high = grad.dtype.type(largest)
    for i in range(grad.size):
        grad[i] = high if grad[i] > high else (-high if grad[i] < -high else grad[i])


@indirect("F2 f", requires="max_norm")
def bound_norms(W, largest):
    """Scale every unit's weights down to that norm, in place.   W (n_out, n_in)."""
    for o in range(W.shape[0]):
        w = view_row(W, o, 0, W.shape[1])
        length = norm(w)
        if length > largest:
            factor = w.dtype.type(largest / length)
            for i in range(w.size):
                w[i] *= factor


@indirect("F1 F1 f", requires="batchnorm in training")
def blend(running, batch, keep):
    """Running ← keep · running + (1 − keep) · batch, in place.   Both (n,)."""
    number = running.dtype.type
    for i in range(running.size):
        running[i] = number(keep) * running[i] + number(1 - keep) * batch[i]


@inlined
def _slope(p, l2, l1):
    """l2 p + l1 sign p, all of one dtype."""
    zero = l1 - l1
    return l2 * p + (l1 if p > zero else (-l1 if p < zero else zero))


@indirect("F1 F1 f f", requires="penalty")
def penalize(theta, grad, l2, l1):
    """Add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    number = theta.dtype.type
    for i in range(theta.size):
        grad[i] += _slope(theta[i], number(l2), number(l1))


@indirect("F1 F1 f f D1", requires="penalty")
def weigh(theta, grad, l2, l1, result):
    """Write l2/2 Σ θ² + l1 Σ |θ| and the largest slope that `penalize` leaves.   All (p,)."""
    number, cost = theta.dtype.type, 0.0
    zero = number(0)
    top = magnitude(zero)
    for i in range(theta.size):
        p = np.float64(theta[i])
        cost += 0.5 * l2 * p * p + l1 * abs(p)
    for i in range(theta.size):  # apart, for sums of float64 would halve the lanes
        top = max(top, magnitude(grad[i] + _slope(theta[i], number(l2), number(l1))))
    result[0], result[1] = cost, _finite(top, zero)


@inlined
def _finite(top, zero):
    """The number that is of this magnitude, infinite for NaN."""
    value = np.float64(unsigned(top, zero))
    return value if value - value == 0 else np.inf


@inlined
def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    zero = x.dtype.type(0)
    top = magnitude(zero)
    for i in range(x.size):
        top = max(top, magnitude(x[i]))  # of words: LLVM keeps a maximum of numbers scalar
    return _finite(top, zero)


def _descend(theta, grad, v, s, decayed, rate, epsilon, settings, t):
    gradient_descent(theta, grad, rate)


def _adam(theta, grad, v, s, decayed, rate, epsilon, settings, t):
    adam(theta, grad, v, s, rate, settings[0].beta1, settings[0].beta2, epsilon, t)


@inlined
def _shares(settings, rate):
    """Rate and gain of a step with momentum: a velocity takes the rate up, an average does not."""
    if settings[0].velocity != 0:
        return 1.0, rate
    return rate, 1 - settings[0].beta1


def _momentum(theta, grad, v, s, decayed, rate, epsilon, settings, t):
    rate, gain = _shares(settings, rate)
    momentum(theta, grad, v, rate, settings[0].beta1, gain)


def _nesterov(theta, grad, v, s, decayed, rate, epsilon, settings, t):
    rate, gain = _shares(settings, rate)
    nesterov(theta, grad, v, rate, settings[0].beta1, gain)


def _rmsprop(theta, grad, v, s, decayed, rate, epsilon, settings, t):
    rmsprop(theta, grad, v, rate, settings[0].beta1, epsilon)


def _adamw(theta, grad, v, s, decayed, rate, epsilon, settings, t):
    decay_weights(view(theta, 0, decayed), rate * settings[0].weight_decay)
    adam(theta, grad, v, s, rate, settings[0].beta1, settings[0].beta2, epsilon, t)


def use(method):
    """What the kernel of a method is needed for."""
    return f"method {Method(method).name.lower()}"


_BY_METHOD = {
    Method.GRADIENT_DESCENT: _descend,
    Method.ADAM: _adam,
    Method.MOMENTUM: _momentum,
    Method.NESTEROV: _nesterov,
    Method.RMSPROP: _rmsprop,
    Method.ADAMW: _adamw,
}

#: One step, the t-th (from 1), in place, of the method whose code is given. All vectors (p,); slots
#: that it does not use may be empty. AdamW's decay acts on the first `decayed` parameters. epsilon:
#: as `update` has corrected that of the settings.
step = indirect_each(
    "F1 F1 F1 F1 i f f S i", {use(method): _BY_METHOD[method] for method in Method}
)
