"""Elementary functions in plain arithmetic, so that loops over them vectorise.

Numba 0.68 calls libm for each element: 4.5 to 35 ns, against about 1 ns for these. They are
computed in the order written (the only liberty is `contract`: a·b + c may round once), hold over
the whole range, let NaN pass, keep the sign of zero where the function has it, and reach
subnormal numbers gradually, except in the steps of a fit: see `subnormals.py`. MAX_ULP says how far
they are from the truth.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from . import polynomials
from .float_bits import FLAGS, layout_of, log_parts, reduced, reduced_once, signed

#: Largest error of each function in units in the last place, in float32 and float64, with fma and
#: without; `normal`: of Φ(x), for x < 0 plus x² / 2, as it says. Measured: 80 to 95 % of these.
MAX_ULP = {
    "exp": (1.2, 1.2),
    "expm1": (2.0, 2.1),
    "log": (1.0, 1.0),
    "log1p": (1.7, 1.7),
    "log1p_unit": (1.8, 1.8),
    "sigmoid": (2.5, 2.5),
    "tanh": (2.7, 2.7),
    "softplus": (2.2, 2.4),
    "erf": (2.7, 2.7),
    "normal": (6.0, 6.0),
}


def exp(x):
    """eˣ; gradually to 0 below the normal numbers, infinite above the largest."""
    return math.exp(x)


@overload(exp, jit_options=FLAGS)
def _overload_exp(x):
    number = np.float32 if x == types.float32 else np.float64
    # From here on eˣ rounds to 0 and to infinity.
    low, high = (-104, 89) if x == types.float32 else (-746, 710)
    low, high, one = number(low), number(high), number(1)

    def exp(x):
        y = low if x < low else x  # in this order NaN passes
        y = high if y > high else y
        r, s, t, _ = reduced(y)
        return (polynomials.exponential(r) * r * r + r + one) * s * t

    return exp


def expm1(x):
    """eˣ − 1, exact for small x."""
    return math.expm1(x)


@overload(expm1, jit_options=FLAGS)
def _overload_expm1(x):
    number = np.float32 if x == types.float32 else np.float64
    low, high = (-18, 89) if x == types.float32 else (-38, 710)
    low, high = number(low), number(high)

    def expm1(x):
        y = low if x < low else x
        y = high if y > high else y
        r, s, t, inverse = reduced(y)
        # 2ⁿ eʳ − 1 = (s (eʳ − 1) + (s − 1/t)) t: nothing overflows before its time.
        less = polynomials.exponential(r) * r * r + r
        return signed((s * less + (s - inverse)) * t, x)

    return expm1


def sigmoid(x):
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + math.exp(-x))


@overload(sigmoid, jit_options=FLAGS)
def _overload_sigmoid(x):
    one = (np.float32 if x == types.float32 else np.float64)(1)

    def sigmoid(x):
        e = exp(-abs(x))
        return (one if x >= 0 else e) / (one + e)

    return sigmoid


def tanh(x):
    """The hyperbolic tangent: −m / (m + 2) with m = e^−2|x| − 1, so that small x stay exact."""
    return math.tanh(x)


@overload(tanh, jit_options=FLAGS)
def _overload_tanh(x):
    number = np.float32 if x == types.float32 else np.float64
    zero, one, two, low = (
        number(0),
        number(1),
        number(2),
        number(-20 if x == types.float32 else -40),
    )

    def tanh(x):
        # As expm1, whose two powers of 2 would take a third of the time: from `low` on m rounds
        # to -1.
        y = -two * abs(x)
        y = low if y < low else y
        r, s = reduced_once(y)
        m = s * (polynomials.exponential(r) * r * r + r) + (s - one)
        return signed((zero - m) / (m + two), x)  # −m would be −0 for 0

    return tanh


def _log1p_rest(f):
    """f − ln(1 + f) for √½ ≤ 1 + f ≤ √2."""
    return f - math.log1p(f)


@overload(_log1p_rest, jit_options=FLAGS)
def _overload_log1p_rest(f):
    two = (np.float32 if f == types.float32 else np.float64)(2)

    def log1p_rest(f):
        # ln(1 + f) = 2 artanh s = 2s + s z p(z) with s = f / (2 + f), z = s²; and 2s = f − s f, so
        # that the rounding of s meets only what is small beside f (the idea of fdlibm's log).
        s = f / (two + f)
        z = s * s
        return s * (f - z * polynomials.artanh(z))

    return log1p_rest


def log(x):
    """ln x; −∞ at ±0, NaN below."""
    return math.log(x)


@overload(log, jit_options=FLAGS)
def _overload_log(x):
    f = layout_of(x)
    upper, lower, low, lift, lifted = f.ln2_upper, f.ln2_lower, f.normal_low, f.lift, f.lifted
    zero, one = f.number(0), f.number(1)
    infinity, nan = f.number(math.inf), f.number(math.nan)

    def log(x):
        subnormal = x < low
        k, m, _ = log_parts(x * lift if subnormal else x)
        k -= lifted if subnormal else zero
        g = m - one
        y = k * upper - ((_log1p_rest(g) - k * lower) - g)
        beside = x if x > zero else (-infinity if x == zero else nan)
        return y if (x > zero) & (x < infinity) else beside

    return log


def log1p(x):
    """ln(1 + x), exact for small x; −∞ at −1, NaN below."""
    return math.log1p(x)


@overload(log1p, jit_options=FLAGS)
def _overload_log1p(x):
    f = layout_of(x)
    number, word, width, upper, lower = f.number, f.word, f.width, f.ln2_upper, f.ln2_lower
    last, half, one = f.word(2 * f.bias + 1), f.number(0.5), f.number(1)
    infinity, nan = f.number(math.inf), f.number(math.nan)

    def log1p(x):
        u = one + x
        v = u - one
        lost = (one - (u - v)) + (x - v)  # 1 + x = u + lost (Knuth's sum of two)
        k, m, biased = log_parts(u)
        # lost / 2ᵏ as lost · 2¹⁻ᵏ / 2, in this order: 2⁻ᵏ may be subnormal, and so may ½ lost.
        g = (m - one) + lost * word((last - biased) << width).view(number) * half
        y = signed(k * upper - ((_log1p_rest(g) - k * lower) - g), x)
        beside = x if x > -one else (-infinity if x == -one else nan)
        return y if (x > -one) & (x < infinity) else beside

    return log1p


def log1p_unit(u):
    """ln(1 + u) for 0 ≤ u ≤ 1, at half the cost."""
    return math.log1p(u)


@overload(log1p_unit, jit_options=FLAGS)
def _overload_log1p_unit(u):
    f = layout_of(u)
    ln2, zero, half, one = f.ln2, f.number(0), f.number(0.5), f.number(1)
    bound = f.number(math.sqrt(2) - 1)

    def log1p_unit(u):
        over = u > bound  # 1 + u = 2 (1 + (u − 1) / 2) there
        g = half * (u - one) if over else u
        return (ln2 if over else zero) + (g - _log1p_rest(g))

    return log1p_unit


def softplus(x):
    """ln(1 + eˣ)."""
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


@overload(softplus, jit_options=FLAGS)
def _overload_softplus(x):
    zero = (np.float32 if x == types.float32 else np.float64)(0)

    def softplus(x):
        return (zero if x < zero else x) + log1p_unit(exp(-abs(x)))

    return softplus


def _scaled_erfc(y):
    """e^(y²) erfc y for y ≥ 0."""
    return math.exp(y * y) * math.erfc(y)


@overload(_scaled_erfc, jit_options=FLAGS)
def _overload_scaled_erfc(y):
    number = np.float32 if y == types.float32 else np.float64
    one, two, four = number(1), number(2), number(4)

    def scaled_erfc(y):
        w = one / (y + two)
        return w * polynomials.scaled_erfc(one - four * w)

    return scaled_erfc


def erf(x):
    """2/√π ∫₀ˣ e^(−t²) dt: by its series up to 0.6, as 1 − erfc beyond."""
    return math.erf(x)


@overload(erf, jit_options=FLAGS)
def _overload_erf(x):
    number = np.float32 if x == types.float32 else np.float64
    one, bound = number(1), number(0.6)

    def erf(x):
        y = abs(x)
        near = y + y * polynomials.error(y * y)
        far = one - exp(-y * y) * _scaled_erfc(y)
        return signed(near if y < bound else far, x)

    return erf


def normal(x):
    """(Φ(x), φ(x)): distribution and density of normal numbers, which share e^(−x²/2).

    Φ comes from erfc, for 1 + erf would lose its tail. The rounding of x² / 2 adds up to x² / 2
    ulp to φ, and to Φ for x < 0.
    """
    return math.erfc(-x / math.sqrt(2)) / 2, math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@overload(normal, jit_options=FLAGS)
def _overload_normal(x):
    number = np.float32 if x == types.float32 else np.float64
    zero, half, one = number(0), number(0.5), number(1)
    root_half, factor = number(math.sqrt(0.5)), number(1 / math.sqrt(2 * math.pi))

    def normal(x):
        e = exp(-half * x * x)
        tail = half * e * _scaled_erfc(root_half * abs(x))
        return (tail if x < zero else one - tail), factor * e

    return normal
