"""The overflow guard: whether a step could take a parameter out of its dtype's range.

A finite number stays finite when it moves by less than half the distance between the two largest
numbers. A step that might overflow is not taken, and no copy of parameters and slots is needed to
undo it. The compiled backend compiles these functions into its steps.
"""

from __future__ import annotations

import numpy as np

from .custom_ops import FIRST
from .opcodes import METHODS, Method

# Of `METHODS`, by method; tuples, which compiled code can read.
AVERAGES_GRADIENT = tuple(METHODS[method].averages_gradient for method in Method)
AVERAGES_SQUARES = tuple(METHODS[method].squares is not None for method in Method)
CORRECTS_BIAS = tuple(METHODS[method].corrects_bias for method in Method)
DECAYS_WEIGHTS = tuple(METHODS[method].decays_weights for method in Method)


def _limits(dtype):
    """Return the largest number, and how far one may move: a quarter of the half distance."""
    info = np.finfo(dtype)
    return float(info.max), float(info.max) * float(info.eps) / 16


LIMITS_32, LIMITS_64 = _limits(np.float32), _limits(np.float64)
MAX_SQUARE = LIMITS_64[0] / 2.0**63  # of a gradient's numbers, up to which Σ g² stays finite


def bound(settings, rate, max_abs_grad, max_abs_momentum):
    """Return a bound of |v| after a step, from the largest |g| and a bound of |v| before it."""
    if settings["velocity"]:
        return settings["beta1"] * max_abs_momentum + abs(rate) * max_abs_grad
    return max(max_abs_grad, max_abs_momentum)


def safe(settings, is_float32, rate, cost, max_abs_grad, max_abs_momentum):
    """Tell whether a step leaves every parameter and slot finite.

    max_abs_grad: the largest |g|; max_abs_momentum: a bound of |v| in slot 0. A moving average is
    at most the largest of what it averages, 1 − βᵗ at least 1 − β, and √s + ε at least ε.
    """
    if not (cost - cost == 0 and max_abs_grad - max_abs_grad == 0):  # ∞ − ∞ and NaN − NaN are NaN
        return False
    largest, limit = LIMITS_32 if is_float32 else LIMITS_64
    method, move = settings["method"], max_abs_grad
    value, norm = float(settings["clip_value"]), float(settings["clip_norm"])
    move = value if 0 < value < move else move
    move = norm if 0 < norm < move else move
    if norm > 0 and not max_abs_grad * max_abs_grad < MAX_SQUARE:
        return False
    if method >= FIRST:  # nothing bounds a custom step: it is computed before it is taken
        return True
    squares = AVERAGES_SQUARES[method]
    if squares and not move * move < largest:
        return False
    if settings["velocity"]:  # βv + ηg at most, and with Nesterov's look ahead ηg once more
        return max_abs_momentum + 2 * abs(rate) * move < limit
    if AVERAGES_GRADIENT[method] and max_abs_momentum > move:
        move = max_abs_momentum
    if CORRECTS_BIAS[method]:
        move = move / (1 - settings["beta1"])
    if squares:
        move = move / settings["epsilon"]
    # A factor below −1 would let weights grow, not decay.
    if DECAYS_WEIGHTS[method] and rate * settings["weight_decay"] > 2:
        return False
    return abs(rate) * move < limit
