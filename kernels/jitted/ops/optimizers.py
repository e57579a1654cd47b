"""Steps of the optimisers, penalties, norms and clipping: passes over flat vectors.

Vectors are (p,), p being the number of parameters, or any consecutive part of them.
"""

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
    """total[0] = Σ x², in float64.   x (p,); total (1,) out."""
    total[0] = _squares(x)


@indirect("F1 f", requires="clip")
def scale(x, factor):
    """x ← factor x, in place.   x (p,)."""
    number = x.dtype.type(factor)
    for i in range(x.size):
        x[i] *= number


@indirect("F1 f", requires="clip")
def limit(grad, largest):
    """grad[i] ← min(max(grad[i], −largest), largest), in place; NaN stays.   grad (p,)."""
    high = grad.dtype.type(largest)
    for i in range(grad.size):
        grad[i] = high if grad[i] > high else (-high if grad[i] < -high else grad[i])


@indirect("F2 f", requires="max_norm")
def bound_norms(W, largest):
    """W[o] ← W[o] · largest / ‖W[o]‖ for each unit o with ‖W[o]‖ > largest, in place.

    W (n_out, n_in); ‖·‖ is the Euclidean norm of a unit's weights (n_in,).
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

    running: BatchNorm's averages of means or variances; batch: those of the last batch.
    """
    number = running.dtype.type
    for i in range(running.size):
        running[i] = number(keep) * running[i] + number(1 - keep) * batch[i]


@inlined
def _slope(p, l2, l1):
    """Return l2 p + l1 sign p, the derivative of l2/2 p² + l1 |p|, for scalars of one dtype.

    The sign of 0 is 0.
    """
    zero = l1 - l1
    return l2 * p + (l1 if p > zero else (-l1 if p < zero else zero))


@indirect("F1 F1 f f", requires="penalty")
def penalize(theta, grad, l2, l1):
    """grad[i] += l2 θ[i] + l1 sign θ[i], the gradient of the penalty.   theta, grad (p,)."""
    number = theta.dtype.type
    for i in range(theta.size):
        grad[i] += _slope(theta[i], number(l2), number(l1))


@indirect("F1 F1 f f D1", requires="penalty")
def weigh(theta, grad, l2, l1, result):
    """result = (l2/2 Σ θ² + l1 Σ |θ|, max |grad + l2 θ + l1 sign θ|), in float64.

    The penalty and the largest element of the gradient with it, infinite if one is NaN.   theta,
    grad (p,), which stays as it is; result (2,) out.
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
    """Return in float64 the number whose bits are `top`; infinity if they are those of NaN.

    top: an integer from `abs_bits`; zero: 0 of the dtype whose bits these are.
    """
    value = np.float64(from_abs_bits(top, zero))
    return value if value - value == 0 else np.inf


@inlined
def largest(x):
    """Return maxᵢ |x[i]| in float64; infinity if an element is infinite or NaN; 0 if p is 0.

    x (p,).
    """
    zero = x.dtype.type(0)
    top = abs_bits(zero)
    for i in range(x.size):
        # These are integers because LLVM does not vectorise a maximum of floating-point numbers.
        top = max(top, abs_bits(x[i]))
    return _finite(top, zero)


def _gradient_descent(theta, grad, v, s, n):
    """Gradient descent, θ ← θ − rate · g, in place; v, s unused.   theta, grad (p,)."""
    rate = theta.dtype.type(n.rate)
    for i in range(theta.size):
        theta[i] -= rate * grad[i]


@inlined
def _move_by_adam(theta, grad, v, s, n):
    """Take one step of Adam, in place: θ ← θ − rate · v̂ / (√ŝ + ε).   theta, grad, v, s (p,).

    v ← β₁v + (1−β₁)g, v̂ = v/(1−β₁ᵗ); s ← β₂s + (1−β₂)g², ŝ = s/(1−β₂ᵗ); g = grad. n: StepNumbers.
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
    """Take one step of Adam, in place.   theta, grad, v, s (p,); n: StepNumbers."""
    _move_by_adam(theta, grad, v, s, n)


def _momentum(theta, grad, v, s, n):
    """Momentum, v ← β₁v + gain · g, θ ← θ − rate · v, in place; s unused.   theta, grad, v (p,)."""
    number = theta.dtype.type
    keep, gain, rate = number(n.beta1), number(n.gain), number(n.rate)
    for i in range(theta.size):
        v[i] = keep * v[i] + gain * grad[i]
        theta[i] -= rate * v[i]


def _nesterov(theta, grad, v, s, n):
    """Nesterov, v ← β₁v + gain · g, θ ← θ − rate · (β₁v + gain · g), in place; s unused."""
    number = theta.dtype.type
    keep, gain, rate = number(n.beta1), number(n.gain), number(n.rate)
    for i in range(theta.size):
        g = gain * grad[i]
        v[i] = keep * v[i] + g
        theta[i] -= rate * (keep * v[i] + g)


def _rmsprop(theta, grad, v, s, n):
    """RMSprop, v ← β₁v + (1−β₁)g², θ ← θ − rate · g / (√v + ε), in place; s unused."""
    number = theta.dtype.type
    keep, add, rate, epsilon = (
        number(n.beta1), number(1 - n.beta1), number(n.rate), number(n.epsilon)
    )  # fmt: skip
    for i in range(theta.size):
        g = grad[i]
        v[i] = keep * v[i] + add * g * g
        theta[i] -= rate * g / (np.sqrt(v[i]) + epsilon)


def _adamw(theta, grad, v, s, n):
    """AdamW: θᵢ ← θᵢ (1 − rate · weight_decay) for i < n_decayed, then a step of Adam, in place."""
    keep = theta.dtype.type(1 - n.rate * n.weight_decay)
    for i in range(n.n_decayed):
        theta[i] *= keep
    _move_by_adam(theta, grad, v, s, n)


#: step(kernel_pointers, method, theta, grad, v, s, n) takes one step of a Method, in place, by the
#: StepNumbers n. theta, grad (p,); v, s (p,): slots 0 and 1 of the method's memory, which may be
#: empty where the method has fewer slots.
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
