"""Types of options: each turns text into a value, or lets argparse say what it must be."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from typing import Any

from fastnn.errors import SettingError

from .hints import closest


def _number(text: str, kind: Callable[[str], Any], rule: str, good: Callable[[Any], bool]) -> Any:
    """Return text as a number of a kind that is good; the rule says in an error what it must be."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not good(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
    return value


def count(text: str) -> int:
    """A whole number of at least 1."""
    return int(_number(text, int, "a whole number of at least 1", lambda n: n >= 1))


def seed(text: str) -> int:
    """A whole number of 32 bits."""
    return int(_number(text, int, "a whole number from 0 to 2**32 - 1", lambda n: 0 <= n < 2**32))


def positive(text: str) -> float:
    """A finite number above 0."""
    rule = "a number above 0"
    return float(_number(text, float, rule, lambda x: math.isfinite(x) and x > 0))


def nonnegative(text: str) -> float:
    """A finite number of at least 0."""
    rule = "a number of at least 0"
    return float(_number(text, float, rule, lambda x: math.isfinite(x) and x >= 0))


def window(text: str) -> int:
    """A number of bytes, with a unit or without."""
    from fastnn.training.windows.size import window_bytes  # only who asks for one needs it

    try:
        return window_bytes(int(text) if text.isdecimal() else text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def batch_size(text: str) -> int | None:
    """A whole number of at least 1, or None for the text full: all examples in each step."""
    return None if text == "full" else count(text)


def hidden_units(text: str) -> tuple[int, ...]:
    """The units of the hidden layers, like 20,7,5; none is a network without hidden layers."""
    try:
        return () if text == "none" else tuple(count(part.strip()) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of sizes; write 20,7,5 for three hidden layers, or none"
        ) from None


def one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    """Return the type of an option that is one of some names."""

    def name(text: str) -> str:
        return str(_number(text, str, f"one of {', '.join(names)}", lambda one: one in names))

    return name


def choice(names: Mapping[str, str]) -> Callable[[str], str]:
    """Return the type of an option that is one of these names, with dashes or underscores."""

    def name(text: str) -> str:
        found = names.get(text.lower().replace("_", "-"))
        if found is None:
            hint = closest(text.lower(), names)
            raise argparse.ArgumentTypeError(
                f"{text!r} is not one of {', '.join(names)}" + (f"; {hint}" if hint else "")
            )
        return found

    return name


def each(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the type of an option that is one value, or a list of values with commas."""

    def one_or_list(text: str) -> Any:
        values = [kind(part.strip()) for part in text.split(",")]
        return values[0] if len(values) == 1 else values

    return one_or_list


def names_in(names: Mapping[str, str]) -> Callable[[str], tuple[str, ...]]:
    """Return the type of an option that is a list of such names with commas."""

    def listed(text: str) -> tuple[str, ...]:
        return tuple(choice(names)(part.strip()) for part in text.split(","))

    return listed


def fraction(text: str) -> float:
    """A number of at least 0 and below 1."""
    return float(_number(text, float, "a number of at least 0 and below 1", lambda x: 0 <= x < 1))
