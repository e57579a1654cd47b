"""The elementary functions in plain arithmetic, which lets LLVM vectorise loops that call them.

Numba 0.68 calls libm for each element: 4.5 to 35 ns, against about 1 ns for these. A function is
defined here as name(f), where f holds the constants of float32 or float64 (`float_bits._format`),
and called in compiled code as name(x); plain Python gets the value of name(x) from `math`.

Operations are computed in the order written, except that a·b + c may be rounded once (LLVM's flag
`contract`). Unless its docstring restricts x, a function takes any number. It returns NaN for NaN,
keeps the sign of zero where the exact function does, and returns subnormal numbers, except in the
steps of a fit (`flush_to_zero.py`).
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

#: By the name of a function: the largest errors allowed, in units in the last place (ulp), as
#: (float32, float64); they hold on CPUs with fma and on those without. norm_cdf_pdf: the error of
#: Φ(x); for x < 0 another x² / 2 ulp are allowed. Measured errors are 80 to 95 % of these bounds.
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
    """Return a bool: whether f, constants of `float_bits._format`, are those of float32."""
    return f.number().itemsize == 4


@float_overload(math.exp)
def exp(f):
    """exp(x) = eˣ, subnormal or 0 where eˣ is below the normal numbers, ∞ where it is too large.

    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    # eˣ rounds to 0 at `low`, to infinity at `high`.
    low, high = map(f.number, (-104, 89) if _is_single(f) else (-746, 710))
    one = f.number(1)

    def exp(x):
        y = low if x < low else x  # comparisons with NaN are false, which leaves y = NaN
        y = high if y > high else y
        r, s, t, _ = range_reduce_exp(y)
        return (polynomials.exponential(r) * r * r + r + one) * s * t

    return exp


@float_overload(math.expm1)
def expm1(f):
    """expm1(x) = eˣ − 1, with a small relative error near x = 0, too.

    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    low, high = map(f.number, (-18, 89) if _is_single(f) else (-38, 710))

    def expm1(x):
        y = low if x < low else x
        y = high if y > high else y
        r, s, t, inverse = range_reduce_exp(y)
        # With 2ⁿ = s t, 2ⁿ eʳ − 1 = (s (eʳ − 1) + (s − 1/t)) t: the right-hand side overflows only
        # where the result does.
        less = polynomials.exponential(r) * r * r + r
        return copysign((s * less + (s - inverse)) * t, x)

    return expm1


@float_overload(lambda x: 1 / (1 + math.exp(-x)))
def sigmoid(f):
    """sigmoid(x) = 1 / (1 + e⁻ˣ), computed from e^−|x|, which does not overflow.

    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    one = f.number(1)

    def sigmoid(x):
        e = exp(-abs(x))
        return (one if x >= 0 else e) / (one + e)

    return sigmoid


@float_overload(math.tanh)
def tanh(f):
    """tanh(x): −m / (m + 2) for m = e^(−2|x|) − 1, with the sign of x.

    The relative error is small near x = 0, too.
    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    zero, one, two, low = map(f.number, (0, 1, 2, -20 if _is_single(f) else -40))

    def tanh(x):
        # `expm1` writes 2ⁿ as two factors; here 2ⁿ = s is a normal number, and a second factor
        # would take a third of the time. Below `low` m rounds to −1.
        y = -two * abs(x)
        y = low if y < low else y
        r, s = range_reduce_exp_normal(y)
        m = s * (polynomials.exponential(r) * r * r + r) + (s - one)
        return copysign((zero - m) / (m + two), x)  # 0 − m, since −m is −0 for m = 0

    return tanh


@float_overload(lambda g: g - math.log1p(g))
def _less_log1p(f):
    """_less_log1p(g) = g − ln(1 + g), for √½ ≤ 1 + g ≤ √2 only.

    f: constants of g's dtype, float32 or float64, from `float_bits._format`.
    """
    two = f.number(2)

    def less_log1p(g):
        # ln(1 + g) = 2 artanh s = 2s + s z p(z) with s = g / (2 + g) and z = s²; p is
        # `polynomials.artanh`. Since 2s = g − s g, the result is s (g − z p(z)), and the rounding
        # error of s enters only terms that are small beside g (the idea of fdlibm's log).
        s = g / (two + g)
        z = s * s
        return s * (g - z * polynomials.artanh(z))

    return less_log1p


@float_overload(math.log)
def log(f):
    """log(x) = ln x: −∞ for x = ±0, NaN for x < 0, ∞ for x = ∞.

    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
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
    """log1p(x) = ln(1 + x), with a small relative error near x = 0, too.

    It is −∞ for x = −1 and NaN for x < −1.
    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    number, word, fraction_bits = f.number, f.word, f.fraction_bits
    upper, lower, last = f.ln2_upper, f.ln2_lower, f.word(2 * f.bias + 1)
    half, one, infinity, nan = map(f.number, (0.5, 1, math.inf, math.nan))

    def log1p(x):
        u = one + x
        v = u - one
        lost = (one - (u - v)) + (x - v)  # 1 + x = u + lost exactly (Knuth's two-sum)
        k, m, biased = frexp(u)
        # lost / 2ᵏ is computed as (lost · 2¹⁻ᵏ) / 2, for 2⁻ᵏ or lost / 2 may be subnormal.
        g = (m - one) + lost * word((last - biased) << fraction_bits).view(number) * half
        y = copysign(k * upper - ((_less_log1p(g) - k * lower) - g), x)
        limit = x if x > -one else (-infinity if x == -one else nan)
        return y if (x > -one) & (x < infinity) else limit

    return log1p


@float_overload(math.log1p)
def log1p_unit(f):
    """log1p_unit(u) = ln(1 + u), for 0 ≤ u ≤ 1 only, in half the time of `log1p`.

    f: constants of u's dtype, float32 or float64, from `float_bits._format`.
    """
    ln2, bound = f.ln2, f.number(math.sqrt(2) - 1)
    zero, half, one = map(f.number, (0, 0.5, 1))

    def log1p_unit(u):
        over = u > bound  # where 1 + u > √2, 1 + u = 2 (1 + g) with g = (u − 1) / 2, else g = u
        g = half * (u - one) if over else u
        return (ln2 if over else zero) + (g - _less_log1p(g))

    return log1p_unit


@float_overload(lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))))
def softplus(f):
    """softplus(x) = ln(1 + eˣ), computed as max(x, 0) + ln(1 + e^−|x|), which does not overflow.

    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    zero = f.number(0)

    def softplus(x):
        return (zero if x < zero else x) + log1p_unit(exp(-abs(x)))

    return softplus


@float_overload(lambda y: math.exp(y * y) * math.erfc(y))
def _scaled_erfc(f):
    """_scaled_erfc(y) = e^(y²) erfc y = p((y − 2) / (y + 2)) / (y + 2), for y ≥ 0 only.

    p is the polynomial `polynomials.scaled_erfc`.
    f: constants of y's dtype, float32 or float64, from `float_bits._format`.
    """
    one, two, four = map(f.number, (1, 2, 4))

    def scaled_erfc(y):
        w = one / (y + two)
        return w * polynomials.scaled_erfc(one - four * w)

    return scaled_erfc


@float_overload(math.erf)
def erf(f):
    """erf(x) = 2/√π ∫₀ˣ e^(−t²) dt.

    It is computed as a power series in x for |x| < 0.6, else as 1 − erfc |x| with the sign of x.
    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    one, bound = f.number(1), f.number(0.6)

    def erf(x):
        y = abs(x)
        near = y + y * polynomials.error(y * y)
        far = one - exp(-y * y) * _scaled_erfc(y)
        return copysign(near if y < bound else far, x)

    return erf


def _norm_cdf_pdf(x):
    """Return (Φ(x), φ(x)), two floats, for a float x: what `norm_cdf_pdf` is in plain Python."""
    return math.erfc(-x / math.sqrt(2)) / 2, math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@float_overload(_norm_cdf_pdf)
def norm_cdf_pdf(f):
    """norm_cdf_pdf(x) = (Φ(x), φ(x)): distribution function and density of the standard normal law.

    Both contain e^(−x²/2), which is computed once. Φ(x) for x < 0 is erfc(−x/√2) / 2, because in
    (1 + erf(x/√2)) / 2 the digits would cancel. The rounding error of x² / 2 adds an error of up to
    x² / 2 ulp (units in the last place) to φ(x), and for x < 0 to Φ(x).
    f: constants of x's dtype, float32 or float64, from `float_bits._format`.
    """
    zero, half, one = map(f.number, (0, 0.5, 1))
    root_half, factor = f.number(math.sqrt(0.5)), f.number(1 / math.sqrt(2 * math.pi))

    def norm_cdf_pdf(x):
        e = exp(-half * x * x)
        tail = half * e * _scaled_erfc(root_half * abs(x))
        return (tail if x < zero else one - tail), factor * e

    return norm_cdf_pdf
