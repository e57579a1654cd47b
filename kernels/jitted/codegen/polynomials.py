"""The polynomials inside the elementary functions: their coefficients and how they are evaluated.

Each is emitted as one chain of products and sums (Horner's rule), which is one fma for each term
where the CPU has fma. LLVM vectorises a loop around such a chain at once; a loop over a tuple of
coefficients would have to be unrolled before that.
"""

from __future__ import annotations

from math import factorial, pi, sqrt

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ... import erfc


def _polynomial(name, single, double):
    """Return an intrinsic named `name`: p(x) = Σᵢ cᵢ xⁱ for a number x, float32 or float64.

    single, double: sequences of floats, the coefficients c₀, c₁, … for float32 and for float64. The
    result has the type of x.
    """

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
    """Return 1/2!, 1/3!, …: a list of `terms` coefficients of (eʳ − 1 − r) / r² in powers of r."""
    return [1 / factorial(k) for k in range(2, terms + 2)]


def _artanh(terms):
    """Return 2/3, 2/5, …: a list of `terms` coefficients of (2 artanh s − 2s) / s³ in s²."""
    return [2 / (2 * k + 1) for k in range(1, terms + 1)]


def _error(terms):
    """Return a list of the first `terms` Taylor coefficients of erf(x) / x − 1 in powers of x².

    erf(x) is x plus x times this series. The series is small, and therefore its rounding error is.
    """
    c = [2 / sqrt(pi) * (-1) ** k / (factorial(k) * (2 * k + 1)) for k in range(terms)]
    return [2 / sqrt(pi) - 1, *c[1:]]


# Two errors are given for each series, in float32 and in float64: the first term that it leaves
# out, relative to the function that it serves.
#: exponential(r) = (eʳ − 1 − r) / r² for |r| ≤ ½ ln 2, by Taylor's series. Errors: r⁷/8! = 1.5e-8
#: and r¹³/14! = 1.2e-17 of eʳ − 1.
exponential = _polynomial("exponential", _exponential(6), _exponential(12))
#: artanh(z) = (2 artanh s − 2s) / s³ for z = s² ≤ 0.0295, by Taylor's series. Errors: z⁵/11 = 2e-9
#: and z¹¹/23 = 6e-19 of 2 artanh s.
artanh = _polynomial("artanh", _artanh(4), _artanh(10))
#: error(x²) = erf(x) / x − 1 for x² ≤ 0.36, by Taylor's series (Abramowitz and Stegun 7.1.5).
#: Errors: 4e-10 and 3e-20 of erf(x) / x.
error = _polynomial("error", _error(8), _error(15))

#: scaled_erfc(t) = (y + 2) exp(y²) erfc y for y ≥ 0, in powers of t = (y − 2) / (y + 2).
#: `kernels/erfc.py` holds its coefficients and tells their errors.
scaled_erfc = _polynomial("scaled_erfc", erfc.ERFC_FLOAT32, erfc.ERFC_FLOAT64)
