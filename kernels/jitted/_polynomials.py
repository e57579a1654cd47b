"""The polynomials inside the elementary functions: where their coefficients come from.

Each is written out for LLVM as one chain of products and sums (Horner's rule), one fma a term
where the CPU has it: a loop over a tuple of coefficients need not unroll before it vectorises.
"""

from __future__ import annotations

from math import factorial, pi, sqrt

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _polynomial(name, single, double):
    """p(x) = Σ cₖ xᵏ in the type of x, by its coefficients for float32 and for float64."""

    def value(typingctx, x):
        def codegen(context, builder, sig, args):
            kind = context.get_value_type(x)
            *rest, total = (
                ir.Constant(kind, float(c)) for c in (single if x == types.float32 else double)
            )
            for c in reversed(rest):
                total = builder.fmul(total, args[0], flags=("contract",))
                total = builder.fadd(total, c, flags=("contract",))
            return total

        return x(x), codegen

    value.__name__ = name
    return intrinsic(value)


def _exponential(terms):
    return [1 / factorial(k) for k in range(2, terms + 2)]


def _artanh(terms):
    return [2 / (2 * k + 1) for k in range(1, terms + 1)]


def _error(terms):
    """The first coefficient less 1: what is added to x is small, and so are its errors."""
    c = [2 / sqrt(pi) * (-1) ** k / (factorial(k) * (2 * k + 1)) for k in range(terms)]
    return [2 / sqrt(pi) - 1, *c[1:]]


# What a series leaves out is at most, relative to the function it serves:
#: (eʳ − 1 − r) / r², Taylor, |r| ≤ ½ ln 2: r⁷/8! = 1.5e-8 and r¹³/14! = 1.2e-17.
exponential = _polynomial("exponential", _exponential(6), _exponential(12))
#: (2 artanh s − 2s) / (s z) in powers of z = s² ≤ 0.0295, Taylor, then multiplied by z: z⁵/11 =
#: 2e-9 and z¹¹/23 = 6e-19.
artanh = _polynomial("artanh", _artanh(4), _artanh(10))
#: erf x / x − 1 in powers of x² ≤ 0.36, Taylor (Abramowitz and Stegun 7.1.5): 4e-10 and 3e-20.
error = _polynomial("error", _error(8), _error(15))

#: (y + 2) exp(y²) erfc y, y ≥ 0, in powers of t = (y − 2) / (y + 2). The factor leaves a function
#: between 0.56 and 2 over the whole of −1 ≤ t ≤ 1: the idea of Shepherd and Laframboise (Math.
#: Comp. 36, 1981) with another constant. 3 would do with three terms less in float64, but then
#: the slope at y = 0 is steep and the rounding of t counts twice as much. Fitted for fastnn with
#: 60 digits: interpolated in 61 Chebyshev nodes, cut after degree 10 and 26, rewritten in powers.
#: What is cut adds up to 1.3e-8 and 1.5e-17.
scaled_erfc = _polynomial(
    "scaled_erfc",
    [
        *(1.02158271, -0.687160637, 0.279471467, -0.0364433389, -0.0215032524, 0.00648690384),
        *(0.00305831432, -0.000861340977, -0.000598765424, 7.32037539e-5, 8.43223944e-5),
    ],
    [
        *(1.021582705242023, -0.6871606844138103, 0.27947209255605376, -0.03644223150691808),
        *(-0.02151066188943273, 0.006479185069164135, 0.0030906120581152873),
        *(-0.0008372960865582222, -0.0006630734952389209, 3.4371663749779505e-05),
        *(0.00014447070122877085, 3.414756226763783e-05, -2.1696114537782193e-05),
        *(-1.611575173429468e-05, -1.1256333870385848e-06, 3.630071016108333e-06),
        *(2.00183717253082e-06, 2.750901646637189e-08, -5.710963647668234e-07),
        *(-3.5734458958337067e-07, -3.3965448025871333e-09, 1.3931685886818277e-07),
        *(5.808397088841817e-08, -2.6432651035265297e-08, -1.9489513251864517e-08),
        *(2.11806662871436e-09, 2.4103331991767275e-09),
    ],
)
