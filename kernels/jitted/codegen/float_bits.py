"""Floating-point numbers taken apart: their exponents, fractions and signs, by integer arithmetic.

What every CPU does to vectors: shifts, sums, masks. Rounding and converting to integers would fall
to libm, or to one number at a time, on CPUs before AVX-512.
"""

from __future__ import annotations

import math
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
from numba import types
from numba.extending import overload

FLAGS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}


def _layout(number, word, digits, bias, ln2_bits):
    """What the functions must know of a floating-point format: its layout, and ln 2 in two parts.

    The upper part of ln 2 has so few bits that its product with an exponent is exact, the lower
    one is what is left (Cody and Waite, Software Manual for the Elementary Functions, 1980).
    """
    ln2 = Decimal(2).ln()
    upper = int(ln2 * 2**ln2_bits) / 2**ln2_bits
    root = number(math.sqrt(0.5)).view(word)
    return SimpleNamespace(
        number=number,
        word=word,
        bias=bias,
        width=word(digits - 1),
        fraction=word(2 ** (digits - 1) - 1),
        ln2_upper=number(upper),
        ln2_lower=number(ln2 - Decimal(upper)),
        ln2=number(ln2),
        log2_e=number(1 / ln2),
        # x + round_up has an integer in its last bits: x rounded, plus twice the bias, even; with
        # round_once plus the bias.
        round_up=number(1.5 * 2 ** (digits - 1) + 2 * bias),
        round_once=number(1.5 * 2 ** (digits - 1) + bias),
        # an integer below 2^(digits - 1), put into the last bits of this number, adds itself to it
        whole=number(2 ** (digits - 1)).view(word),
        whole_bias=number(2 ** (digits - 1) + bias),
        root_half=root,
        to_root=word((bias << (digits - 1)) - int(root)),
        normal_low=np.finfo(number).smallest_normal,
        lift=number(2**digits),
        lifted=number(digits),
        sign=word(1 << (8 * number().itemsize - 1)),
    )


_SINGLE = _layout(np.float32, np.uint32, 24, 127, 15)
_DOUBLE = _layout(np.float64, np.uint64, 53, 1023, 41)


def layout_of(x):
    """The layout of numbers of a Numba type."""
    return _SINGLE if x == types.float32 else _DOUBLE


def signed(y, x):
    """The number y, negative only where x is, with the sign of x: for the sake of zeros."""
    return math.copysign(y, x)


@overload(signed, jit_options=FLAGS)
def _overload_signed(y, x):
    f = layout_of(x)
    number, word, sign = f.number, f.word, f.sign

    def signed(y, x):
        return word(number(y).view(word) | (number(x).view(word) & sign)).view(number)

    return signed


def marked(x):
    """Whether the number is −0."""
    raise TypeError("only inside compiled kernels")


@overload(marked, jit_options=FLAGS)
def _overload_marked(x):
    f = layout_of(x)
    number, word, sign = f.number, f.word, f.sign

    def marked(x):
        return number(x).view(word) == sign

    return marked


def magnitude(x):
    """|x| as a word: words stand in the order of the numbers, infinity and NaN above all others."""
    raise TypeError("only inside compiled kernels")


@overload(magnitude, jit_options=FLAGS)
def _overload_magnitude(x):
    f = layout_of(x)
    number, word, sign = f.number, f.word, f.sign

    def magnitude(x):
        return word(number(x).view(word) & ~sign)

    return magnitude


def unsigned(bits, x):
    """The number of x's dtype that `magnitude` made this word of."""
    raise TypeError("only inside compiled kernels")


@overload(unsigned, jit_options=FLAGS)
def _overload_unsigned(bits, x):
    f = layout_of(x)
    number, word = f.number, f.word

    def unsigned(bits, x):
        return word(bits).view(number)

    return unsigned


def reduced(x):
    """(r, s, t, 1/t) with x = n ln 2 + r, |r| ≤ ½ ln 2, 2ⁿ = s t, as 2ⁿ may overflow."""
    raise TypeError("only inside compiled kernels")


@overload(reduced, jit_options=FLAGS)
def _overload_reduced(x):
    f = layout_of(x)
    number, word, width, one, twice = f.number, f.word, f.width, f.word(1), f.word(2 * f.bias)
    log2_e, round_up, upper, lower = f.log2_e, f.round_up, f.ln2_upper, f.ln2_lower

    def reduced(x):
        shifted = x * log2_e + round_up
        n = shifted - round_up
        r = (x - n * upper) - n * lower
        # The last bits hold n + 2 bias: half of it is one exponent as it is stored, the rest the
        # other; what stands in front of them is shifted out.
        bits = number(shifted).view(word)
        half = bits >> one
        rest = word(bits - half)
        s, t, inverse = half << width, rest << width, word(twice - rest) << width
        return r, word(s).view(number), word(t).view(number), word(inverse).view(number)

    return reduced


def reduced_once(x):
    """(r, 2ⁿ) with x = n ln 2 + r, |r| ≤ ½ ln 2, where 2ⁿ is a normal number."""
    raise TypeError("only inside compiled kernels")


@overload(reduced_once, jit_options=FLAGS)
def _overload_reduced_once(x):
    f = layout_of(x)
    number, word, width = f.number, f.word, f.width
    log2_e, round_once, upper, lower = f.log2_e, f.round_once, f.ln2_upper, f.ln2_lower

    def reduced_once(x):
        shifted = x * log2_e + round_once
        n = shifted - round_once
        r = (x - n * upper) - n * lower
        return r, word(number(shifted).view(word) << width).view(number)

    return reduced_once


def log_parts(x):
    """(k, m, k + bias as a word) with x = 2ᵏ m, √½ ≤ m < √2, for normal positive x."""
    raise TypeError("only inside compiled kernels")


@overload(log_parts, jit_options=FLAGS)
def _overload_log_parts(x):
    f = layout_of(x)
    number, word, width, fraction = f.number, f.word, f.width, f.fraction
    whole, whole_bias, root, to_root = f.whole, f.whole_bias, f.root_half, f.to_root

    def log_parts(x):
        bits = word(number(x).view(word) + to_root)  # the exponent steps at √½ and √2, not at 1, 2
        biased = word(bits >> width)
        k = word(biased | whole).view(number) - whole_bias
        return k, word((bits & fraction) + root).view(number), biased

    return log_parts
