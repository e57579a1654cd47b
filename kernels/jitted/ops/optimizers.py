"""Steps of the optimisers, penalties, norms and clipping: passes over flat vectors.

Vectors are (p,), p being the number of parameters, or any consecutive part of them.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Method
from ..codegen.float_bits import abs_bits, from_abs_bits
from ..codegen.pointers import view_row
from ..compiler.definitions import entry, indirect, indirect_for
from ..compiler.jit import inlined
from ..requirements import of_method


@inlined
def _squares(x):
    """Return Σᵢ x[i]², summed in float64.   x (p,)."""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@entry("F1", requires="norm", returns="f")
def norm(x):
    """Return √(Σᵢ x[i]²), summed in float64.   x (p,)."""
    return np.sqrt(_squares(x))


@indirect("F1 D1", requires="clip")
def square(x, total):
    """total[0] = Σᵢ x[i]².   x (p,); total (1,) float64 out."""
    total[0] = _squares(x)


@indirect("F1 f", requires="clip", entrance=True)
def scale(x, factor):
    """x[i] ← factor · x[i] for all i, in place.   x (p,); factor: a float64 number."""
    number = x.dtype.type(factor)
    for i in range(x.size):
        x[i] *= number


@indirect("F1 f", requires="clip", entrance=True)
def limit(grad, largest):
    """grad[i] ← min(max(grad[i], −largest), largest), in place; NaN stays NaN.   grad (p,)."""
    high = grad.dtype.type(largest)
    for i in range(grad.size):
        grad[i] = high if grad[i] > high else (-high if grad[i] < -high else grad[i])


@indirect("F2 f", requires="max_norm", entrance=True)
def bound_norms(W, largest):
    """W[o] ← W[o] · largest / ‖W[o]‖ for each unit o with ‖W[o]‖ > largest, in place.

    W (n_out, n_in): W[o] is the row of unit o's weights, ‖·‖ its Euclidean norm, and `largest` a
    number.
    """
    for o in range(W.shape[0]):
        w = view_row(W, o, 0, W.shape[1])
        length = norm(w)
        if length > largest:
            factor = w.dtype.type(largest / length)
            for i in range(w.size):
                w[i] *= factor


@indirect("F1 F1 f", requires="batchnorm in training")
def blend(running, batch, keep):
    """running[i] ← keep · running[i] + (1 − keep) · batch[i], in place.   running, batch (n,).

    running: averages over batches of BatchNorm's means, or of its variances, one a unit; batch: the
    means or variances of the last batch; keep: a number, 0 ≤ keep ≤ 1.
    """
    number = running.dtype.type
    for i in range(running.size):
        running[i] = number(keep) * running[i] + number(1 - keep) * batch[i]


@inlined
def _slope(p, l2, l1):
    """Return l2 · p + l1 · sign(p), the derivative of l2/2 · p² + l1 · |p|; sign(0) is 0.

    p: a parameter; l2, l1: the factors of the penalty, numbers of p's dtype.
    """
    zero = l1 - l1
    return l2 * p + (l1 if p > zero else (-l1 if p < zero else zero))


@indirect("F1 F1 f f", requires="penalty", entrance=True)
def penalize(theta, grad, l2, l1):
    """grad[i] += l2 · θ[i] + l1 · sign(θ[i]), the gradient of l2/2 Σᵢ θ[i]² + l1 Σᵢ |θ[i]|.

    theta, grad (p,), of which grad is changed; l2, l1: numbers.
    """
    number = theta.dtype.type
    for i in range(theta.size):
        grad[i] += _slope(theta[i], number(l2), number(l1))


@indirect("F1 F1 f f D1", requires="penalty", entrance=True)
def weigh(theta, grad, l2, l1, result):
    """Write the penalty and the largest slope of the cost with it to result (2,), float64.

    result[0] = l2/2 Σᵢ θ[i]² + l1 Σᵢ |θ[i]|; result[1] = maxᵢ |grad[i] + l2 θ[i] + l1 sign(θ[i])|,
    or infinity if one of these is NaN. θ = theta, grad (p,) are not changed; l2, l1: numbers.
    """
    number, cost = theta.dtype.type, 0.0
    zero = number(0)
    top = abs_bits(zero)
    for i in range(theta.size):
        p = np.float64(theta[i])
        cost += 0.5 * l2 * p * p + l1 * abs(p)
    for i in range(theta.size):  # A loop of its own: sums of float64 would halve the lanes.
        top = max(top, abs_bits(grad[i] + _slope(theta[i], number(l2), number(l1))))
    result[0], result[1] = cost, _finite(top, zero)


@inlined
def _finite(top, zero):
    """Return in float64 the number ≥ 0 that has the bits `top`, or infinity if it is NaN.

    top: an unsigned integer, the bits of a float32 or float64; zero: the number 0 of this dtype.
    """
    value = np.float64(from_abs_bits(top, zero))
    return value if value - value == 0 else np.inf


@inlined
def largest(x):
    """Return maxᵢ |x[i]| in float64; infinity if an element is infinite or NaN; 0 if x is empty.

    x (p,) of float32 or float64.
    """
    zero = x.dtype.type(0)
    top = abs_bits(zero)
    for i in range(x.size):
        # These are integers because LLVM does not vectorise a maximum of floating-point numbers.
        top = max(top, abs_bits(x[i]))
    return _finite(top, zero)


@entry("F1", requires="largest", returns="f")
def largest_of_all(x):
    """Return `largest(x)`.   x (p,)."""
    return largest(x)


def _gradient_descent(theta, grad, v, s, n):
    """θ[i] ← θ[i] − n.rate · grad[i], in place.

    θ = theta, grad (p,); n: a StepNumbers; v, s are unused.
    """
    rate = theta.dtype.type(n.rate)
    for i in range(theta.size):
        theta[i] -= rate * grad[i]


@inlined
def _move_by_adam(theta, grad, v, s, n):
    """Take one step of Adam: θ ← θ − rate · v̂ / (√ŝ + ε), for each element.

    v ← β₁v + (1−β₁)g, v̂ = v/(1−β₁ᵗ); s ← β₂s + (1−β₂)g², ŝ = s/(1−β₂ᵗ). θ = theta, v, s (p,) are
    changed in place; g = grad (p,). n: a StepNumbers, with rate, β₁ = beta1, β₂ = beta2,
    ε = epsilon, and t, the number of this step, from 1 on.
    """
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
    """Take one step of Adam, in place.   theta, v, s (p,) are changed; grad (p,); n: a StepNumbers.

    v: average of the gradients; s: average of their squares.
    """
    _move_by_adam(theta, grad, v, s, n)


def _momentum(theta, grad, v, s, n):
    """Momentum, in place: v ← n.beta1 · v + n.gain · grad, then θ ← θ − n.rate · v.

    θ = theta, grad, v (p,); n: a StepNumbers; s is unused.
    """
    number = theta.dtype.type
    keep, gain, rate = number(n.beta1), number(n.gain), number(n.rate)
    for i in range(theta.size):
        v[i] = keep * v[i] + gain * grad[i]
        theta[i] -= rate * v[i]


def _nesterov(theta, grad, v, s, n):
    """Nesterov, in place: v ← β₁v + gain · g, then θ ← θ − rate · (β₁v + gain · g) with the new v.

    θ = theta, g = grad, v (p,); n: a StepNumbers, with rate, gain and β₁ = beta1; s is unused.
    """
    number = theta.dtype.type
    keep, gain, rate = number(n.beta1), number(n.gain), number(n.rate)
    for i in range(theta.size):
        g = gain * grad[i]
        v[i] = keep * v[i] + g
        theta[i] -= rate * (keep * v[i] + g)


def _rmsprop(theta, grad, v, s, n):
    """RMSprop, in place: v ← β₁v + (1−β₁)g², then θ ← θ − rate · g / (√v + ε).

    θ = theta, g = grad, v (p,); n: a StepNumbers, with rate, β₁ = beta1, ε = epsilon; s is unused.
    """
    number = theta.dtype.type
    keep, add, rate, epsilon = (
        number(n.beta1), number(1 - n.beta1), number(n.rate), number(n.epsilon)
    )  # fmt: skip
    for i in range(theta.size):
        g = grad[i]
        v[i] = keep * v[i] + add * g * g
        theta[i] -= rate * g / (np.sqrt(v[i]) + epsilon)


def _adamw(theta, grad, v, s, n):
    """AdamW: θ[i] ← θ[i] (1 − rate · weight_decay) for i < n_decayed, then one step of Adam.

    θ = theta, v, s (p,) are changed in place; v: average of the gradients; s: average of their
    squares; grad (p,); n: a StepNumbers, with rate, weight_decay, n_decayed and Adam's numbers.
    """
    keep = theta.dtype.type(1 - n.rate * n.weight_decay)
    for i in range(n.n_decayed):
        theta[i] *= keep
    _move_by_adam(theta, grad, v, s, n)


#: step(kernel_pointers, method, theta, grad, v, s, n) takes one step of a Method. theta (p,), the
#: parameters, and v, s (p,), slots 0 and 1 of the method's memory, are changed in place; a slot
#: that the method does not have may be empty. grad (p,); n: a StepNumbers.
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
    entrance=True,
)
