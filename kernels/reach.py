"""Reach: whether a step could take a parameter out of the range of its dtype, told before it moves.

A finite number stays finite when it moves by less than half the distance of the largest numbers.
So no copy of parameters and slots is needed to undo a step: one that might overflow is not taken.
"""

from __future__ import annotations

import numpy as np

from .opcodes import Method

DESCENT, RMSPROP = int(Method.GRADIENT_DESCENT), int(Method.RMSPROP)
ADAM, ADAMW = int(Method.ADAM), int(Method.ADAMW)


def _limits(dtype):
    """Return the largest number, and a quarter of the half distance, lest rounding counts."""
    info = np.finfo(dtype)
    return float(info.max), float(info.max) * float(info.eps) / 16


SINGLE, DOUBLE = _limits(np.float32), _limits(np.float64)
NORMED = DOUBLE[0] / 2.0**63  # squares up to which Σ g² in float64 stays finite


def safe(settings, single, rate, cost, peak, average, t):
    """Tell whether the t-th step leaves every parameter and slot finite.

    peak: the largest slope |g|; average: the largest |v| in the slots. A moving average is at most
    the largest of what it averages; what is divided by √s + ε is at most divided by ε.
    """
    if not (cost - cost == 0 and peak - peak == 0):  # ∞ − ∞ and NaN − NaN are NaN
        return False
    largest, limit = SINGLE if single else DOUBLE
    method, slope = settings["method"], peak
    if settings["clip_value"] > 0:
        slope = min(slope, float(settings["clip_value"]))
    if settings["clip_norm"] > 0:
        slope = min(slope, float(settings["clip_norm"]))
    squares = method in (ADAM, ADAMW, RMSPROP)
    if squares and not slope * slope < largest:
        return False
    if settings["clip_norm"] > 0 and not peak * peak < NORMED:
        return False
    if method not in (DESCENT, RMSPROP):
        slope = max(slope, average)
    if method in (ADAM, ADAMW):
        slope = slope / (1 - settings["beta1"] ** t)
    if squares:
        slope = slope / settings["epsilon"]
    if method == ADAMW and rate * settings["weight_decay"] > 2:  # weights would grow, not decay
        return False
    return abs(rate) * slope < limit
