"""The polynomials inside the elementary functions: where their coefficients come from.

Each is written out for LLVM as one chain of products and sums (Horner's rule), one fma a term
where the CPU has it: a loop over a tuple of coefficients need not unroll before it vectorises.
"""

from __future__ import annotations

from math import factorial, pi, sqrt

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ... import erfc


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

#: (y + 2) exp(y²) erfc y, y ≥ 0, in powers of t = (y − 2) / (y + 2).
scaled_erfc = _polynomial("scaled_erfc", erfc.ERFC_FLOAT32, erfc.ERFC_FLOAT64)
