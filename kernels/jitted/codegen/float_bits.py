"""IEEE floating-point numbers by their bits: exponents, fractions and signs by integer arithmetic.

Every CPU shifts, adds and masks vectors of integers. Rounding, or converting numbers to integers,
would call libm or take one number at a time on CPUs before AVX-512. A function is defined here as
name(f), where f holds the constants of float32 or float64 (`_format`), and called in compiled code
as name(x), which its docstring describes.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import update_wrapper
from types import SimpleNamespace

import numpy as np
from numba import types
from numba.extending import overload

#: Numba's flags of every function of `float_overload`: LLVM inlines it, may round a·b + c once, and
#: divides by zero without an exception.
FLAGS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}


def _format(number, word, digits, bias, ln2_bits):
    """Return f, a SimpleNamespace of the constants of a floating-point format.

    number: NumPy's scalar type of the format; word: that of the unsigned integers of equal size;
    digits: number of bits of the significand with its implicit 1; bias: stored exponent − exponent.
    ln 2 is the sum of ln2_upper and ln2_lower: the upper part has ln2_bits bits behind the point,
    few enough that its product with an exponent is exact (Cody and Waite, Software Manual for the
    Elementary Functions, 1980).
    """
    ln2 = Decimal(2).ln()
    upper = int(ln2 * 2**ln2_bits) / 2**ln2_bits
    root = number(math.sqrt(0.5)).view(word)
    return SimpleNamespace(
        number=number,  # NumPy's scalar type of the format
        word=word,  # NumPy's scalar type of the unsigned integers that have as many bits
        bias=bias,  # stored exponent − exponent
        fraction_bits=word(digits - 1),  # number of stored bits of the fraction
        fraction_mask=word(2 ** (digits - 1) - 1),  # only the bits of the fraction are 1
        sign_mask=word(1 << (8 * number().itemsize - 1)),  # only the bit of the sign is 1
        ln2=number(ln2),  # ln 2, rounded
        ln2_upper=number(upper),  # ln 2, cut after ln2_bits bits behind the point
        ln2_lower=number(ln2 - Decimal(upper)),  # ln 2 − ln2_upper, rounded
        log2_e=number(1 / ln2),  # log₂ e, rounded
        # The sum x + round_two_biases rounds x to an integer, n, and its last bits are n + 2 bias;
        # the last bits of x + round_one_bias are n + bias.
        round_two_biases=number(1.5 * 2 ** (digits - 1) + 2 * bias),
        round_one_bias=number(1.5 * 2 ** (digits - 1) + bias),
        # These bits are those of the number 2^(digits − 1). For an integer 0 ≤ n < 2^(digits − 1),
        # integer_bits | n are the bits of the number 2^(digits − 1) + n.
        integer_bits=number(2 ** (digits - 1)).view(word),
        # (2^(digits − 1) + n) − integer_and_bias = n − bias.
        integer_and_bias=number(2 ** (digits - 1) + bias),
        root_half_bits=root,  # the bits of √½
        one_less_root_half_bits=word((bias << (digits - 1)) - int(root)),  # bits of 1 − bits of √½
        smallest_normal=np.finfo(number).smallest_normal,  # the smallest positive normal number
        subnormal_scale=number(2**digits),  # its product with any subnormal number > 0 is normal
        subnormal_exponent=number(digits),  # log₂ subnormal_scale
    )


_FLOAT32 = _format(np.float32, np.uint32, 24, 127, 15)
_FLOAT64 = _format(np.float64, np.uint64, 53, 1023, 41)


def float_overload(in_python=None):
    """Return the decorator that replaces a factory name(f) by a function name(x, …).

    name(f) returns the Python function that is compiled where a kernel calls name(x, …). f is
    _FLOAT32 or _FLOAT64 (`_format`), by the type of the call's last argument. in_python: the
    function that a call of name(x, …) in plain Python executes; None: it raises a TypeError.
    """

    def decorate(implementation_for):
        def in_compiled_code(*args):
            raise TypeError(f"{implementation_for.__name__} runs only inside compiled kernels")

        reference = in_python or in_compiled_code

        def python_function(*args):
            return reference(*args)

        @overload(python_function, jit_options=FLAGS, strict=False)
        def typed(*args):
            return implementation_for(_FLOAT32 if args[-1] == types.float32 else _FLOAT64)

        update_wrapper(python_function, implementation_for)
        del python_function.__dict__[
            "__wrapped__"
        ]  # name(f): its parameters are not those of name(x)
        return python_function

    return decorate


@float_overload(math.copysign)
def copysign(f):
    """copysign(y, x): return |y| with the sign of x, for y ≥ +0; return y itself for negative y.

    f: constants of x's dtype, float32 or float64, from `_format`.
    """
    number, word, sign_mask = f.number, f.word, f.sign_mask

    def copysign(y, x):
        return word(number(y).view(word) | (number(x).view(word) & sign_mask)).view(number)

    return copysign


@float_overload()
def is_negative_zero(f):
    """is_negative_zero(x): return a bool, whether x is −0.

    f: constants of x's dtype, float32 or float64, from `_format`.
    """
    number, word, sign_mask = f.number, f.word, f.sign_mask

    def is_negative_zero(x):
        return number(x).view(word) == sign_mask

    return is_negative_zero


@float_overload()
def abs_bits(f):
    """abs_bits(x): return the bits of |x| as an unsigned integer of x's size.

    The integer is the larger, the larger |x| is; that of infinity is larger than those of numbers,
    and those of NaN are larger than that of infinity.
    f: constants of x's dtype, float32 or float64, from `_format`.
    """
    number, word, sign_mask = f.number, f.word, f.sign_mask

    def abs_bits(x):
        return word(number(x).view(word) & ~sign_mask)

    return abs_bits


@float_overload()
def from_abs_bits(f):
    """from_abs_bits(bits, x): return the number ≥ 0, or NaN, that has these bits.

    bits: an integer as `abs_bits` returns. x: any number of the result's dtype, its value unused.
    f: constants of x's dtype, float32 or float64, from `_format`.
    """
    number, word = f.number, f.word

    def from_abs_bits(bits, x):
        return word(bits).view(number)

    return from_abs_bits


@float_overload()
def range_reduce_exp(f):
    """range_reduce_exp(x): return (r, s, t, 1/t) with eˣ = eʳ s t, x = n ln 2 + r, |r| ≤ ½ ln 2.

    n is an integer and 2ⁿ = s t: two factors, because 2ⁿ itself may overflow or be subnormal. All
    four results are numbers of x's dtype.
    f: constants of x's dtype, float32 or float64, from `_format`.
    """
    number, word, fraction_bits = f.number, f.word, f.fraction_bits
    one, two_biases = f.word(1), f.word(2 * f.bias)
    log2_e, round_two_biases, upper, lower = f.log2_e, f.round_two_biases, f.ln2_upper, f.ln2_lower

    def range_reduce_exp(x):
        shifted = x * log2_e + round_two_biases
        n = shifted - round_two_biases
        r = (x - n * upper) - n * lower
        # The last bits of `shifted` are n + 2 bias. Half of it is the stored exponent of s, the
        # rest that of t; the shifts to their places push out the bits in front of them.
        bits = number(shifted).view(word)
        half = bits >> one
        rest = word(bits - half)
        s, t = half << fraction_bits, rest << fraction_bits
        inverse = word(two_biases - rest) << fraction_bits
        return r, word(s).view(number), word(t).view(number), word(inverse).view(number)

    return range_reduce_exp


@float_overload()
def range_reduce_exp_normal(f):
    """Return the function range_reduce_exp_normal(x), which returns (r, 2ⁿ).

    x = n ln 2 + r with |r| ≤ ½ ln 2; n is an integer. x must lie where 2ⁿ is a normal number. Both
    results have x's dtype. f: constants of x's dtype, float32 or float64, from `_format`.
    """
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
    """frexp(x): return (k, m, k + bias) with x = 2ᵏ m and √½ ≤ m < √2, for normal x > 0.

    k and m are numbers of x's dtype; k + bias, the stored exponent of 2ᵏ, is an unsigned integer.
    f: constants of x's dtype, float32 or float64, from `_format`.
    """
    number, word, fraction_bits, fraction_mask = f.number, f.word, f.fraction_bits, f.fraction_mask
    integer_bits, integer_and_bias = f.integer_bits, f.integer_and_bias
    root_half_bits, one_less_root_half_bits = f.root_half_bits, f.one_less_root_half_bits

    def frexp(x):
        # In this sum the stored exponent grows by 1 where x passes √½ · 2ᵏ, not where it passes 2ᵏ.
        bits = word(number(x).view(word) + one_less_root_half_bits)
        biased = word(bits >> fraction_bits)
        k = word(biased | integer_bits).view(number) - integer_and_bias
        return k, word((bits & fraction_mask) + root_half_bits).view(number), biased

    return frexp
