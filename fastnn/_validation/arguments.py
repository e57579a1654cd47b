"""Checks of arguments: each returns the value as fastnn uses it, or raises a sentence about it.

The checks of settings stand here, those of arrays in `arrays`, those of examples and targets in
`examples`; all are called by this module's name, as in `arguments.count(units, "units")`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Container, Iterable
from typing import Any

import numpy as np

from fastnn.errors import SettingError

from .arrays import (
    array,
    check_finite,
    check_representable,
    is_decimal,
    kernel_readable,
    numeric,
)
from .examples import (
    are_plain_rows,
    binary_targets,
    check_same_length,
    class_targets,
    count_targets,
    examples,
    finite_examples,
    positive_targets,
    real_targets,
    sample_weight,
)

__all__ = [
    "are_plain_rows",
    "array",
    "as_list",
    "binary_targets",
    "callables",
    "check_fields",
    "check_finite",
    "check_representable",
    "check_same_length",
    "class_targets",
    "count",
    "count_targets",
    "dtype",
    "examples",
    "finite_examples",
    "flag",
    "fraction",
    "instance",
    "integer",
    "kernel_readable",
    "new_name",
    "nonnegative",
    "numeric",
    "positive",
    "positive_count",
    "positive_targets",
    "precision",
    "real",
    "real_targets",
    "sample_weight",
    "seed",
]


def check_fields(settings: object, **checks: Callable[[Any, str], Any]) -> None:
    """Check fields of a frozen dataclass, each by a function of value and name that returns it."""
    for name, check in checks.items():
        object.__setattr__(settings, name, check(getattr(settings, name), name))


def flag(value: Any, name: str) -> bool:
    """Return True or False."""
    if not isinstance(value, bool | np.bool_):
        raise SettingError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def new_name(name: Any, taken: Container[str]) -> str:
    """Return the name of what a user registers: a plain word that nothing built in has."""
    if not isinstance(name, str) or not name.isidentifier() or name in taken:
        raise SettingError(f"name {name!r} is taken or is no plain word; choose another one")
    return name


def as_list(value: Any, name: str, example: str) -> list[Any]:
    """Return the entries of a list, a tuple or another iterable but text, as a list."""
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
    functions = as_list(value, name, example)
    for function in functions:
        if isinstance(function, type):
            called = function.__name__
            raise SettingError(f"{name} holds the class {called}; write {called}(…), an object")
        if not callable(function):
            raise SettingError(f"{name} must be functions of {takes}, got {function!r}")
    return tuple(functions)


def integer(value: Any, name: str, *, least: int = 0, below: int | None = None) -> int:
    """Return a whole number that is at least `least` and, if a bound is given, below it."""
    value = _number(value)
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least or (below is not None and value >= below):
        rule = f"a whole number of at least {least}" + (f" and below {below}" if below else "")
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return int(value)


def count(value: Any, name: str, *, least: int = 0) -> int:
    """Return a whole number that is at least `least` and below 2³¹."""
    value = _number(value)
    if isinstance(value, numbers.Integral) and int(value) >= 2**31:
        raise SettingError(f"{name} must be below 2**31, got {value!r}")
    return integer(value, name, least=least)


def positive_count(value: Any, name: str) -> int:
    """Return a whole number that is at least 1 and below 2³¹."""
    return count(value, name, least=1)


def real(
    value: Any,
    name: str,
    *,
    above: float | None = None,
    least: float | None = None,
    rule: str | None = None,
) -> float:
    """Return a finite number, above or at least a bound; `rule` is what an error says of it."""
    if rule is None:
        rule = "a finite number"
        rule += f" greater than {above:g}" if above is not None else ""
        rule += f" of at least {least:g}" if least is not None else ""
    value = _number(value)
    good = isinstance(value, numbers.Real) or is_decimal(value)
    good = good and not isinstance(value, bool)
    try:
        number = float(value) if good else math.nan  # NumPy compares in the narrower dtype
    except (OverflowError, ValueError):  # a whole number that is too long, a signalling NaN
        number = math.inf
    good = math.isfinite(number)
    good = good and (above is None or number > above) and (least is None or number >= least)
    if not good:
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return number


def positive(value: Any, name: str) -> float:
    """Return a finite number above 0."""
    return real(value, name, above=0)


def nonnegative(value: Any, name: str) -> float:
    """Return a finite number of at least 0."""
    return real(value, name, least=0)


def fraction(value: Any, name: str) -> float:
    """Return a number in [0, 1)."""
    number = real(value, name)
    if not 0 <= number < 1:
        raise SettingError(f"{name} must lie in [0, 1), got {value!r}")
    return number


def _number(value: Any) -> Any:
    """Return the number that an array without dimensions holds, and anything else as it is."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


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


def precision(value: Any, dtype: np.dtype[Any]) -> str:
    """Return "float32" or "mixed", the precision of a network of that dtype."""
    if not isinstance(value, str) or value not in ("float32", "mixed", dtype.name):
        raise SettingError(f"precision must be 'float32' or 'mixed', got {value!r}")
    if value == "mixed" and dtype != np.float32:
        raise SettingError(
            f"precision='mixed' rounds what float32 networks multiply, and this one's dtype is "
            f"{dtype.name}; give dtype='float32', or leave precision out"
        )
    return "mixed" if value == "mixed" else "float32"
