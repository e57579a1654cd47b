"""The elementary functions in plain arithmetic, for LLVM to vectorise loops over them.

Numba 0.68 calls libm for each element: 4.5 to 35 ns, against about 1 ns for these. They are
computed in the order written (the only liberty is `contract`: a·b + c may round once), hold over
the whole range, return NaN for NaN, keep the sign of zero where the function has it, and reach
subnormal numbers gradually, except in the steps of a fit: see `flush_to_zero.py`. In plain Python
each name is the function of `math` that it computes.
"""

from __future__ import annotations

import math

from . import polynomials
from .float_bits import (
    copysign,
    float_overload,
    frexp,
    range_reduce_exp,
    range_reduce_exp_normal,
)

#: Largest error of each function in units in the last place, in float32 and float64, with fma and
#: without; of norm_cdf_pdf: of Φ(x), for x < 0 plus x² / 2. Measured: 80 to 95 % of these.
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
    "norm_cdf_pdf": (6.0, 6.0),
}


def _is_single(f):
    """Tell whether a format is that of float32."""
    return f.number().itemsize == 4


@float_overload(math.exp)
def exp(f):
    """eˣ; gradually to 0 below the normal numbers, infinite above the largest."""
    # From here on eˣ rounds to 0 and to infinity.
    low, high = map(f.number, (-104, 89) if _is_single(f) else (-746, 710))
    one = f.number(1)

    def exp(x):
        y = low if x < low else x  # in this order NaN passes
        y = high if y > high else y
        r, s, t, _ = range_reduce_exp(y)
        return (polynomials.exponential(r) * r * r + r + one) * s * t

    return exp


@float_overload(math.expm1)
def expm1(f):
    """eˣ − 1, exact for small x."""
    low, high = map(f.number, (-18, 89) if _is_single(f) else (-38, 710))

    def expm1(x):
        y = low if x < low else x
        y = high if y > high else y
        r, s, t, inverse = range_reduce_exp(y)
        # 2ⁿ eʳ − 1 = (s (eʳ − 1) + (s − 1/t)) t overflows only where the result does.
        less = polynomials.exponential(r) * r * r + r
        return copysign((s * less + (s - inverse)) * t, x)

    return expm1


@float_overload(lambda x: 1 / (1 + math.exp(-x)))
def sigmoid(f):
    """1 / (1 + e⁻ˣ)."""
    one = f.number(1)

    def sigmoid(x):
        e = exp(-abs(x))
        return (one if x >= 0 else e) / (one + e)

    return sigmoid


@float_overload(math.tanh)
def tanh(f):
    """The hyperbolic tangent: −m / (m + 2) with m = e^−2|x| − 1, for which small x stay exact."""
    zero, one, two, low = map(f.number, (0, 1, 2, -20 if _is_single(f) else -40))

    def tanh(x):
        # m as in expm1, but with one power of 2, for the other would take a third of the time;
        # below `low` m rounds to −1.
        y = -two * abs(x)
        y = low if y < low else y
        r, s = range_reduce_exp_normal(y)
        m = s * (polynomials.exponential(r) * r * r + r) + (s - one)
        return copysign((zero - m) / (m + two), x)  # −m would be −0 for 0

    return tanh


@float_overload(lambda g: g - math.log1p(g))
def _less_log1p(f):
    """g − ln(1 + g) for √½ ≤ 1 + g ≤ √2."""
    two = f.number(2)

    def less_log1p(g):
        # ln(1 + g) = 2 artanh s = 2s + s z p(z) with s = g / (2 + g), z = s²; and 2s = g − s g, by
        # which the rounding of s meets only what is small beside g (the idea of fdlibm's log).
        s = g / (two + g)
        z = s * s
        return s * (g - z * polynomials.artanh(z))

    return less_log1p


@float_overload(math.log)
def log(f):
    """ln x; −∞ at ±0, NaN below."""
    upper, lower, smallest_normal = f.ln2_upper, f.ln2_lower, f.smallest_normal
    scale, exponent = f.subnormal_scale, f.subnormal_exponent
    zero, one, infinity, nan = map(f.number, (0, 1, math.inf, math.nan))

    def log(x):
        subnormal = x < smallest_normal
        k, m, _ = frexp(x * scale if subnormal else x)
        k -= exponent if subnormal else zero
        g = m - one
        y = k * upper - ((_less_log1p(g) - k * lower) - g)
        limit = x if x > zero else (-infinity if x == zero else nan)
        return y if (x > zero) & (x < infinity) else limit

    return log


@float_overload(math.log1p)
def log1p(f):
    """ln(1 + x), exact for small x; −∞ at −1, NaN below."""
    number, word, fraction_bits = f.number, f.word, f.fraction_bits
    upper, lower, last = f.ln2_upper, f.ln2_lower, f.word(2 * f.bias + 1)
    half, one, infinity, nan = map(f.number, (0.5, 1, math.inf, math.nan))

    def log1p(x):
        u = one + x
        v = u - one
        lost = (one - (u - v)) + (x - v)  # 1 + x = u + lost (Knuth's sum of two)
        k, m, biased = frexp(u)
        # lost / 2ᵏ as lost · 2¹⁻ᵏ / 2, in this order: 2⁻ᵏ may be subnormal, and so may ½ lost.
        g = (m - one) + lost * word((last - biased) << fraction_bits).view(number) * half
        y = copysign(k * upper - ((_less_log1p(g) - k * lower) - g), x)
        limit = x if x > -one else (-infinity if x == -one else nan)
        return y if (x > -one) & (x < infinity) else limit

    return log1p


@float_overload(math.log1p)
def log1p_unit(f):
    """ln(1 + u) for 0 ≤ u ≤ 1, in half the time of `log1p`."""
    ln2, bound = f.ln2, f.number(math.sqrt(2) - 1)
    zero, half, one = map(f.number, (0, 0.5, 1))

    def log1p_unit(u):
        over = u > bound  # 1 + u = 2 (1 + (u − 1) / 2) there
        g = half * (u - one) if over else u
        return (ln2 if over else zero) + (g - _less_log1p(g))

    return log1p_unit


@float_overload(lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))))
def softplus(f):
    """ln(1 + eˣ)."""
    zero = f.number(0)

    def softplus(x):
        return (zero if x < zero else x) + log1p_unit(exp(-abs(x)))

    return softplus


@float_overload(lambda y: math.exp(y * y) * math.erfc(y))
def _scaled_erfc(f):
    """e^(y²) erfc y for y ≥ 0."""
    one, two, four = map(f.number, (1, 2, 4))

    def scaled_erfc(y):
        w = one / (y + two)
        return w * polynomials.scaled_erfc(one - four * w)

    return scaled_erfc


@float_overload(math.erf)
def erf(f):
    """2/√π ∫₀ˣ e^(−t²) dt: by its series up to 0.6, as 1 − erfc beyond."""
    one, bound = f.number(1), f.number(0.6)

    def erf(x):
        y = abs(x)
        near = y + y * polynomials.error(y * y)
        far = one - exp(-y * y) * _scaled_erfc(y)
        return copysign(near if y < bound else far, x)

    return erf


def _norm_cdf_pdf(x):
    return math.erfc(-x / math.sqrt(2)) / 2, math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@float_overload(_norm_cdf_pdf)
def norm_cdf_pdf(f):
    """(Φ(x), φ(x)): distribution and density of the standard normal, which share e^(−x²/2).

    Φ comes from erfc, for 1 + erf would lose its tail. The rounding of x² / 2 adds up to x² / 2
    ulp to φ, and to Φ for x < 0.
    """
    zero, half, one = map(f.number, (0, 0.5, 1))
    root_half, factor = f.number(math.sqrt(0.5)), f.number(1 / math.sqrt(2 * math.pi))

    def norm_cdf_pdf(x):
        e = exp(-half * x * x)
        tail = half * e * _scaled_erfc(root_half * abs(x))
        return (tail if x < zero else one - tail), factor * e

    return norm_cdf_pdf
