"""What may come in: the rules for settings here, those for numbers and examples by their names.

All modules say `_check.rule`, whichever file states it.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn.errors import SettingError

from .arrays import array, finite, numeric, readable, representable
from .examples import (
    binary,
    classes,
    column,
    counts,
    features,
    is_row,
    rows,
    same_length,
    sample_weight,
    targets,
)

__all__ = [
    "array",
    "binary",
    "callables",
    "classes",
    "column",
    "count",
    "counts",
    "dtype",
    "features",
    "finite",
    "flag",
    "instance",
    "is_row",
    "numeric",
    "readable",
    "real",
    "representable",
    "rows",
    "same_length",
    "sample_weight",
    "seed",
    "several",
    "share",
    "targets",
]


def flag(value: Any, name: str) -> bool:
    """Return True or False."""
    if not isinstance(value, bool | np.bool_):
        raise SettingError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def several(value: Any, name: str, example: str) -> list[Any]:
    """Return the entries of a list or the like."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SettingError(f"{name} must be a list like {example}, got {value!r}")
    return list(value)


def callables(
    value: Any,
    name: str,
    takes: str = "(network, history)",
    example: str = "[fastnn.callbacks.EarlyStopping()]",
) -> tuple[Any, ...]:
    """Return functions, or objects that are called like one; a class is none."""
    functions = several(value, name, example)
    for function in functions:
        if isinstance(function, type):
            called = function.__name__
            raise SettingError(f"{name} holds the class {called}; write {called}(…), an object")
        if not callable(function):
            raise SettingError(f"{name} must be functions of {takes}, got {function!r}")
    return tuple(functions)


def count(value: Any, name: str, *, least: int = 0) -> int:
    """Return a whole number that is at least `least` and below 2³¹."""
    if isinstance(value, numbers.Integral) and int(value) >= 2**31:
        raise SettingError(f"{name} must be below 2**31, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise SettingError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def real(value: Any, name: str, *, above: float | None = None, least: float | None = None) -> float:
    """Return a finite number, above or at least a bound."""
    rule = "a finite number"
    if above is not None:
        rule += f" greater than {above:g}"
    if least is not None:
        rule += f" of at least {least:g}"
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        number = float(value) if good else math.nan  # NumPy compares in the narrower dtype
    except OverflowError:  # of a whole number that is too long
        number = math.inf
    good = math.isfinite(number)
    good = good and (above is None or number > above) and (least is None or number >= least)
    if not good:
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return number


def share(value: Any, name: str) -> float:
    """Return a number in [0, 1)."""
    if real(value, name) < 0 or value >= 1:
        raise SettingError(f"{name} must lie in [0, 1), got {value!r}")
    return float(value)


def seed(value: Any) -> int:
    """Return a seed: a whole number below 2³², half of the key of the random generator."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**32:
        raise SettingError(f"seed must be a whole number from 0 and below 2**32, got {value!r}")
    return int(value)


def dtype(value: Any) -> np.dtype[Any]:
    """Return float32 or float64."""
    known: list[np.dtype[Any]] = [np.dtype("float32"), np.dtype("float64")]
    try:
        return known[known.index(np.dtype(value))]
    except (TypeError, ValueError):
        raise SettingError(f"dtype must be 'float32' or 'float64', got {value!r}") from None


def instance(value: Any, kinds: Any, name: str, example: str) -> Any:
    """Return an object of one of these classes."""
    if not isinstance(value, kinds):
        raise SettingError(f"{name} must be an object like {example}, got {value!r}")
    return value
