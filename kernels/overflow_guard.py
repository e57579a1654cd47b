"""The overflow guard: whether a step could take a parameter out of its dtype's range.

A finite number stays finite when it moves by less than half the distance of the largest numbers.
So no copy of parameters and slots is needed to undo a step: one that might overflow is not taken.
"""

from __future__ import annotations

import numpy as np

from .opcodes import METHODS, Method

# By method, as tuples: compiled code reads these too.
AVERAGES_GRADIENT = tuple(METHODS[method].averages_gradient for method in Method)
AVERAGES_SQUARES = tuple(METHODS[method].squares is not None for method in Method)
CORRECTS_BIAS = tuple(METHODS[method].corrects_bias for method in Method)
DECAYS_WEIGHTS = tuple(METHODS[method].decays_weights for method in Method)


def _limits(dtype):
    """Return the largest number, and a quarter of the half distance, lest rounding counts."""
    info = np.finfo(dtype)
    return float(info.max), float(info.max) * float(info.eps) / 16


SINGLE, DOUBLE = _limits(np.float32), _limits(np.float64)
NORMED = DOUBLE[0] / 2.0**63  # squares up to which Σ g² in float64 stays finite


def bound(settings, rate, peak, average):
    """Return a bound of |v| after a step.   peak: the largest |g|; average: of |v| before it."""
    if settings["velocity"]:
        return settings["beta1"] * average + abs(rate) * peak
    return max(peak, average)


def safe(settings, single, rate, cost, peak, average):
    """Tell whether a step leaves every parameter and slot finite.

    peak: the largest slope |g|; average: the largest |v| in the slots. A moving average is at most
    the largest of what it averages, 1 − βᵗ at least 1 − β, and √s + ε at least ε.
    """
    if not (cost - cost == 0 and peak - peak == 0):  # ∞ − ∞ and NaN − NaN are NaN
        return False
    largest, limit = SINGLE if single else DOUBLE
    method, slope = settings["method"], peak
    value, norm = float(settings["clip_value"]), float(settings["clip_norm"])
    slope = value if 0 < value < slope else slope
    slope = norm if 0 < norm < slope else slope
    squares = AVERAGES_SQUARES[method]
    if squares and not slope * slope < largest:
        return False
    if norm > 0 and not peak * peak < NORMED:
        return False
    if settings["velocity"]:  # βv + ηg at most, and with Nesterov's look ahead ηg once more
        return average + 2 * abs(rate) * slope < limit
    if AVERAGES_GRADIENT[method] and average > slope:
        slope = average
    if CORRECTS_BIAS[method]:
        slope = slope / (1 - settings["beta1"])
    if squares:
        slope = slope / settings["epsilon"]
    if (
        DECAYS_WEIGHTS[method] and rate * settings["weight_decay"] > 2
    ):  # weights would grow, not decay
        return False
    return abs(rate) * slope < limit
