"""IEEE floating-point numbers by their bits: exponents, fractions and signs by integer arithmetic.

Every CPU shifts, adds and masks vectors of integers. Rounding and converting to integers would call
libm, or take one number at a time, on CPUs before AVX-512.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import update_wrapper
from types import SimpleNamespace

import numpy as np
from numba import types
from numba.extending import overload

FLAGS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}


def _format(number, word, digits, bias, ln2_bits):
    """Constants of a floating-point format: its layout, and ln 2 in two parts.

    The upper part of ln 2 has so few bits that its product with an exponent is exact; the lower
    one is the rest (Cody and Waite, Software Manual for the Elementary Functions, 1980).
    """
    ln2 = Decimal(2).ln()
    upper = int(ln2 * 2**ln2_bits) / 2**ln2_bits
    root = number(math.sqrt(0.5)).view(word)
    return SimpleNamespace(
        number=number,  # NumPy's type of the numbers
        word=word,  # and of unsigned integers of as many bits
        bias=bias,  # of the exponent
        fraction_bits=word(digits - 1),
        fraction_mask=word(2 ** (digits - 1) - 1),
        sign_mask=word(1 << (8 * number().itemsize - 1)),
        ln2=number(ln2),
        ln2_upper=number(upper),
        ln2_lower=number(ln2 - Decimal(upper)),
        log2_e=number(1 / ln2),
        # x + round_two_biases has an integer in its last bits: x rounded, plus twice the bias,
        # which is even; x + round_one_bias has x rounded, plus the bias.
        round_two_biases=number(1.5 * 2 ** (digits - 1) + 2 * bias),
        round_one_bias=number(1.5 * 2 ** (digits - 1) + bias),
        # The bits of 2^(digits − 1), or those of an integer 0 ≤ n < 2^(digits − 1), are the bits of
        # the number 2^(digits − 1) + n.
        integer_bits=number(2 ** (digits - 1)).view(word),
        integer_and_bias=number(2 ** (digits - 1) + bias),
        root_half_bits=root,  # of √½
        one_less_root_half_bits=word((bias << (digits - 1)) - int(root)),
        smallest_normal=np.finfo(number).smallest_normal,
        subnormal_scale=number(2**digits),  # makes every subnormal number normal
        subnormal_exponent=number(digits),
    )


_FLOAT32 = _format(np.float32, np.uint32, 24, 127, 15)
_FLOAT64 = _format(np.float64, np.uint64, 53, 1023, 41)


def float_overload(in_python=None):
    """Decorate what makes a function for a floating-point format: compiled code calls its name.

    The decorated function takes a format of `_format` and returns an implementation with the
    constants of that format; it is called once for each dtype of the last argument. in_python: what
    plain Python calls by that name instead; None: nothing.
    """

    def decorate(implementation_for):
        def in_compiled_code(*args):
            raise TypeError(f"{implementation_for.__name__} runs only inside compiled kernels")

        reference = in_python or in_compiled_code

        def stub(*args):
            return reference(*args)

        @overload(stub, jit_options=FLAGS, strict=False)
        def typed(*args):
            return implementation_for(_FLOAT32 if args[-1] == types.float32 else _FLOAT64)

        update_wrapper(stub, implementation_for)
        del stub.__dict__["__wrapped__"]  # whose arguments are not those of the stub
        return stub

    return decorate


@float_overload(math.copysign)
def copysign(f):
    """copysign(y, x): |y| with the sign of x if y ≥ 0; a negative y stays. For zeros' signs."""
    number, word, sign_mask = f.number, f.word, f.sign_mask

    def copysign(y, x):
        return word(number(y).view(word) | (number(x).view(word) & sign_mask)).view(number)

    return copysign


@float_overload()
def is_negative_zero(f):
    """is_negative_zero(x): whether x is −0."""
    number, word, sign_mask = f.number, f.word, f.sign_mask

    def is_negative_zero(x):
        return number(x).view(word) == sign_mask

    return is_negative_zero


@float_overload()
def abs_bits(f):
    """abs_bits(x): the bits of |x|; as integers they are ordered as |x| is, NaN above infinity."""
    number, word, sign_mask = f.number, f.word, f.sign_mask

    def abs_bits(x):
        return word(number(x).view(word) & ~sign_mask)

    return abs_bits


@float_overload()
def from_abs_bits(f):
    """from_abs_bits(bits, x): the number of x's dtype whose `abs_bits` these are."""
    number, word = f.number, f.word

    def from_abs_bits(bits, x):
        return word(bits).view(number)

    return from_abs_bits


@float_overload()
def range_reduce_exp(f):
    """range_reduce_exp(x): (r, s, t, 1/t) with x = n ln 2 + r, |r| ≤ ½ ln 2 and 2ⁿ = s t.

    2ⁿ comes as two factors because it may overflow, or be subnormal.
    """
    number, word, fraction_bits = f.number, f.word, f.fraction_bits
    one, two_biases = f.word(1), f.word(2 * f.bias)
    log2_e, round_two_biases, upper, lower = f.log2_e, f.round_two_biases, f.ln2_upper, f.ln2_lower

    def range_reduce_exp(x):
        shifted = x * log2_e + round_two_biases
        n = shifted - round_two_biases
        r = (x - n * upper) - n * lower
        # The last bits hold n + 2 bias: half of it is one stored exponent, the rest is the other;
        # the bits in front of them are shifted out.
        bits = number(shifted).view(word)
        half = bits >> one
        rest = word(bits - half)
        s, t = half << fraction_bits, rest << fraction_bits
        inverse = word(two_biases - rest) << fraction_bits
        return r, word(s).view(number), word(t).view(number), word(inverse).view(number)

    return range_reduce_exp


@float_overload()
def range_reduce_exp_normal(f):
    """range_reduce_exp_normal(x): (r, 2ⁿ) with x = n ln 2 + r, |r| ≤ ½ ln 2, for normal 2ⁿ."""
    number, word, fraction_bits = f.number, f.word, f.fraction_bits
    log2_e, round_one_bias, upper, lower = f.log2_e, f.round_one_bias, f.ln2_upper, f.ln2_lower

    def range_reduce_exp_normal(x):
        shifted = x * log2_e + round_one_bias
        n = shifted - round_one_bias
        r = (x - n * upper) - n * lower
        return r, word(number(shifted).view(word) << fraction_bits).view(number)

    return range_reduce_exp_normal


@float_overload()
def frexp(f):
    """frexp(x): (k, m, k + bias as an integer) with x = 2ᵏ m, √½ ≤ m < √2, for normal x > 0."""
    number, word, fraction_bits, fraction_mask = f.number, f.word, f.fraction_bits, f.fraction_mask
    integer_bits, integer_and_bias = f.integer_bits, f.integer_and_bias
    root_half_bits, one_less_root_half_bits = f.root_half_bits, f.one_less_root_half_bits

    def frexp(x):
        # With this added the exponent steps at √½ and √2 instead of at 1 and 2.
        bits = word(number(x).view(word) + one_less_root_half_bits)
        biased = word(bits >> fraction_bits)
        k = word(biased | integer_bits).view(number) - integer_and_bias
        return k, word((bits & fraction_mask) + root_half_bits).view(number), biased

    return frexp
