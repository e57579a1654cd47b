"""Steps of the optimisers, penalties and norms: passes over flat vectors of parameters."""

from __future__ import annotations

import numpy as np

from ...opcodes import Method
from ..codegen.float_bits import abs_bits, from_abs_bits
from ..codegen.pointers import view_row
from ..compiler.dispatch_table import indirect, indirect_for
from ..compiler.jit import inlined, kernel
from ..requirements import of_method


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
    """x ← factor x, in place.   x (p,)."""
    number = x.dtype.type(factor)
    for i in range(x.size):
        x[i] *= number


@indirect("F1 f", requires="clip")
def limit(grad, largest):
    """Clip every g to −largest … largest, in place.   grad (p,)."""
    high = grad.dtype.type(largest)
    for i in range(grad.size):
        grad[i] = high if grad[i] > high else (-high if grad[i] < -high else grad[i])


@indirect("F2 f", requires="max_norm")
def bound_norms(W, largest):
    """Scale each unit's weights down to the norm `largest`, in place.   W (n_out, n_in)."""
    for o in range(W.shape[0]):
        w = view_row(W, o, 0, W.shape[1])
        length = norm(w)
        if length > largest:
            factor = w.dtype.type(largest / length)
            for i in range(w.size):
                w[i] *= factor


@indirect("F1 F1 f", requires="batchnorm in training")
def blend(running, batch, keep):
    """running ← keep · running + (1 − keep) · batch, in place.   Both (n,)."""
    number = running.dtype.type
    for i in range(running.size):
        running[i] = number(keep) * running[i] + number(1 - keep) * batch[i]


@inlined
def _slope(p, l2, l1):
    """Return l2 p + l1 sign p, all of one dtype."""
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
    """Write result = (l2/2 Σ θ² + l1 Σ |θ|, max |g| after `penalize`).   theta, grad (p,)."""
    number, cost = theta.dtype.type, 0.0
    zero = number(0)
    top = abs_bits(zero)
    for i in range(theta.size):
        p = np.float64(theta[i])
        cost += 0.5 * l2 * p * p + l1 * abs(p)
    for i in range(theta.size):  # apart, for sums of float64 would halve the lanes
        top = max(top, abs_bits(grad[i] + _slope(theta[i], number(l2), number(l1))))
    result[0], result[1] = cost, _finite(top, zero)


@inlined
def _finite(top, zero):
    """Return the number with these `abs_bits` in float64, infinite for NaN."""
    value = np.float64(from_abs_bits(top, zero))
    return value if value - value == 0 else np.inf


@inlined
def largest(x):
    """Return the largest |x|, infinite where a number is infinite or NaN.   x (p,)."""
    zero = x.dtype.type(0)
    top = abs_bits(zero)
    for i in range(x.size):
        top = max(top, abs_bits(x[i]))  # of integers: LLVM keeps a maximum of numbers scalar
    return _finite(top, zero)


def _gradient_descent(theta, grad, v, s, n):
    rate = theta.dtype.type(n.rate)
    for i in range(theta.size):
        theta[i] -= rate * grad[i]


@inlined
def _move_by_adam(theta, grad, v, s, n):
    """Take one step of Adam, in place.   theta, grad, v, s (p,); formula in `kernels/loops`."""
    number = theta.dtype.type
    keep1, add1 = number(n.beta1), number(1 - n.beta1)
    keep2, add2 = number(n.beta2), number(1 - n.beta2)
    scale1, scale2 = number(1 / (1 - n.beta1**n.t)), number(1 / (1 - n.beta2**n.t))
    rate, epsilon = number(n.rate), number(n.epsilon)
    for i in range(theta.size):
        g = grad[i]
        v[i] = keep1 * v[i] + add1 * g
        s[i] = keep2 * s[i] + add2 * g * g
        theta[i] -= rate * (v[i] * scale1) / (np.sqrt(s[i] * scale2) + epsilon)


def _adam(theta, grad, v, s, n):
    _move_by_adam(theta, grad, v, s, n)


def _momentum(theta, grad, v, s, n):
    number = theta.dtype.type
    keep, gain, rate = number(n.beta1), number(n.gain), number(n.rate)
    for i in range(theta.size):
        v[i] = keep * v[i] + gain * grad[i]
        theta[i] -= rate * v[i]


def _nesterov(theta, grad, v, s, n):
    number = theta.dtype.type
    keep, gain, rate = number(n.beta1), number(n.gain), number(n.rate)
    for i in range(theta.size):
        g = gain * grad[i]
        v[i] = keep * v[i] + g
        theta[i] -= rate * (keep * v[i] + g)


def _rmsprop(theta, grad, v, s, n):
    number = theta.dtype.type
    keep, add, rate, epsilon = (
        number(n.beta1), number(1 - n.beta1), number(n.rate), number(n.epsilon)
    )  # fmt: skip
    for i in range(theta.size):
        g = grad[i]
        v[i] = keep * v[i] + add * g * g
        theta[i] -= rate * g / (np.sqrt(v[i]) + epsilon)


def _adamw(theta, grad, v, s, n):
    keep = theta.dtype.type(1 - n.rate * n.weight_decay)
    for i in range(n.n_decayed):
        theta[i] *= keep
    _move_by_adam(theta, grad, v, s, n)


#: One step, in place, of the method whose code is given, by `StepNumbers`; formulas in `loops`.
#: Vectors (p,): theta, its gradient, slots 0 and 1, which may be empty where a method has fewer.
step = indirect_for(
    Method,
    "F1 F1 F1 F1 StepNumbers",
    {
        Method.GRADIENT_DESCENT: _gradient_descent,
        Method.ADAM: _adam,
        Method.MOMENTUM: _momentum,
        Method.NESTEROV: _nesterov,
        Method.RMSPROP: _rmsprop,
        Method.ADAMW: _adamw,
    },
    of_method,
)
