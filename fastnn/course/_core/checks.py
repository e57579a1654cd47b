"""Settings of course 2's functions: numbers in their ranges, names that exist."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from fastnn.errors import SettingError


def check_keep_prob(keep_prob: float) -> float:
    """Check the share of units that dropout keeps: above 0 and at most 1."""
    if not 0 < keep_prob <= 1:
        raise SettingError(f"keep_prob must be above 0 and at most 1, got {keep_prob!r}")
    return float(keep_prob)


def check_lambd(lambd: float) -> float:
    """Check the λ of L2: not negative."""
    if not lambd >= 0:
        raise SettingError(f"lambd must not be negative, got {lambd!r}")
    return float(lambd)


def check_beta(name: str, beta: float) -> float:
    """Check the β of a moving average: from 0 to below 1."""
    if not 0 <= beta < 1:
        raise SettingError(f"{name} must be from 0 to below 1, got {beta!r}")
    return float(beta)


def check_epsilon(epsilon: float) -> float:
    """Check the ε of finite differences: above 0."""
    if not epsilon > 0:
        raise SettingError(f"epsilon must be above 0, got {epsilon!r}")
    return float(epsilon)


def check_count(name: str, value: Any) -> int:
    """Check a whole number from 1 on."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise SettingError(f"{name} must be a whole number from 1 on, got {value!r}")
    return number


def check_one_of(name: str, value: Any, known: Iterable[str]) -> None:
    """Check that a name is among those that exist."""
    names = list(known)
    if value not in names:
        raise SettingError(f"{name} must be one of {', '.join(map(repr, names))}, got {value!r}")
