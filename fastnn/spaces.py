"""Spaces: where a search looks for a parameter, each on the scale on which it matters.

Rates and penalties act by their order of magnitude, so they are drawn on a log scale; β of an
average by how far it is from 1; sizes and shares as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._validation import arguments
from .errors import SettingError

__all__ = ["Choice", "Integer", "Linear", "Log", "Momentum", "Space"]

#: Types that are iterable and yet one value.
TEXT = str, bytes
#: The largest number up to which float64 holds every whole number.
MAX_EXACT_INTEGER = 2**53
#: The margin of a narrowed box on both sides of its numbers, as a share of the whole space.
MARGIN = 0.1


class Box(NamedTuple):
    """An interval of stored numbers, drawn evenly on their own or on a log scale."""

    low: float
    high: float
    log: bool
    whole: bool

    def around(self, numbers: list[float]) -> Box:
        """Return the part of this box that holds these numbers, with a margin around them."""
        ends = self.position(self.low), self.position(self.high)
        margin = MARGIN * (ends[1] - ends[0])
        low = self._number(self.position(min(numbers)) - margin)
        high = self._number(self.position(max(numbers)) + margin)
        if self.whole:
            low, high = math.floor(low), math.ceil(high)
        return self._replace(low=max(low, self.low), high=min(high, self.high))

    def position(self, number: float) -> float:
        """Return where a stored number stands on the scale."""
        return math.log(number) if self.log else float(number)

    def _number(self, position: float) -> float:
        """Return the stored number at a place of the scale."""
        return math.exp(position) if self.log else position


class Space:
    """What every space has: a box of stored numbers, and the parameter's value of each."""

    @property
    def box(self) -> Box:
        """The stored numbers of the whole space."""
        raise TypeError(f"{type(self).__name__} has no box; use one of {', '.join(__all__[:-1])}")

    def value(self, number: float) -> Any:
        """Return the value that a stored number stands for."""
        return number


def _check_bounds(low: Any, high: Any, *, above: float | None = None) -> None:
    """Refuse bounds that are no numbers, are swapped or equal, or do not lie above a number."""
    for bound, name in ((low, "low"), (high, "high")):
        arguments.real(bound, name, above=above)
    if low >= high:
        hint = "are they swapped?" if low > high else "a single value needs no space"
        raise SettingError(f"low must be below high, got low={low!r} and high={high!r}; {hint}")


@dataclass(frozen=True)
class Linear(Space):
    """Numbers from low to high, drawn evenly: a dropout rate.

    Parameters
    ----------
    low, high : float
        The bounds, low below high.

    Raises
    ------
    SettingError
        If the bounds are swapped, equal or no finite numbers.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if not math.isfinite(float(self.high) - float(self.low)):
            raise SettingError(
                f"Linear must not be wider than float64 can tell, got low={self.low!r} and "
                f"high={self.high!r}; a range over many decades is a matter for Log"
            )

    @property
    def box(self) -> Box:
        """The stored numbers of the whole space."""
        return Box(float(self.low), float(self.high), log=False, whole=False)


@dataclass(frozen=True)
class Log(Space):
    """Numbers from low to high, every decade as likely: a learning rate, λ.

    Parameters
    ----------
    low, high : float
        The bounds, positive, low below high.

    Raises
    ------
    SettingError
        If the bounds are swapped, equal or not positive.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, above=0)

    @property
    def box(self) -> Box:
        """The stored numbers of the whole space."""
        return Box(float(self.low), float(self.high), log=True, whole=False)


@dataclass(frozen=True)
class Momentum(Space):
    """β from low to high with 1 − β on a log scale: 0.9 … 0.99 is as likely as 0.99 … 0.999.

    An average with β looks back over about 1/(1 − β) steps: from 0.9 to 0.9005 nothing changes,
    from 0.999 to 0.9995 the memory doubles.

    Parameters
    ----------
    low, high : float
        The bounds of β, inside (0, 1), low below high.

    Raises
    ------
    SettingError
        If the bounds are swapped, equal or outside (0, 1).
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        for bound, name in ((self.low, "low"), (self.high, "high")):
            if not 0 < arguments.real(bound, name) < 1:
                raise SettingError(f"{name} of Momentum must lie in (0, 1), got {bound!r}")
        _check_bounds(self.low, self.high)

    @property
    def box(self) -> Box:
        """The stored numbers of the whole space: 1 − β."""
        return Box(1 - self.high, 1 - self.low, log=True, whole=False)

    def value(self, number: float) -> float:
        """Return β of a stored number 1 − β."""
        return 1 - number


@dataclass(frozen=True)
class Integer(Space):
    """Whole numbers from low to high, both included: layers, units.

    Parameters
    ----------
    low, high : int
        The bounds, low below high; positive for a log scale.
    log : bool
        Whether every doubling is as likely, rather than every number.

    Raises
    ------
    SettingError
        If the bounds are swapped, equal, no whole numbers, or not positive on a log scale.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for bound, name in ((self.low, "low"), (self.high, "high")):
            if arguments.real(bound, name) != int(bound):
                raise SettingError(f"{name} of Integer must be a whole number, got {bound!r}")
            if abs(bound) > MAX_EXACT_INTEGER:
                raise SettingError(f"{name} of Integer must lie within ±2**53, got {bound!r}")
        _check_bounds(self.low, self.high, above=0 if self.log else None)

    @property
    def box(self) -> Box:
        """The stored numbers of the whole space."""
        return Box(int(self.low), int(self.high), log=bool(self.log), whole=True)

    def value(self, number: float) -> int:
        """Return the whole number."""
        return int(number)


@dataclass(frozen=True, init=False)
class Choice(Space):
    """One of some values: a batch size, an activation.

    Put values with an order into that order: a refined search keeps a run of neighbours.

    Parameters
    ----------
    *values : any
        At least one.

    Raises
    ------
    SettingError
        If there is nothing to choose from, or only one list or the like: a choice between its
        items is ``Choice(*items)``.
    """

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        if not values:
            raise SettingError("Choice needs at least one value, like Choice(32, 64, 128)")
        if len(values) == 1 and isinstance(values[0], Iterable) and not isinstance(values[0], TEXT):
            raise SettingError(
                f"Choice takes its values one by one, like Choice(32, 64, 128), got only a "
                f"{type(values[0]).__name__}; write Choice(*values)"
            )
        object.__setattr__(self, "values", values)

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.values))})"

    @property
    def box(self) -> Box:
        """The stored numbers: the indices of the values."""
        return Box(0, len(self.values) - 1, log=False, whole=True)

    def value(self, number: float) -> Any:
        """Return the value of that index."""
        return self.values[int(number)]

    def place(self, value: Any) -> int:
        """Return the index of a value: of the object itself, else an equal one, as 1 and True."""
        for place, one in enumerate(self.values):
            if one is value:
                return place
        return self.values.index(value)


def check_space(space: Any) -> dict[str, Space]:
    """Return a space of parameters by their names, or say what is wrong with it."""
    example = '{"learning_rate": fastnn.spaces.Log(1e-4, 1e-1)}'
    if not isinstance(space, Mapping) or not space:
        raise SettingError(f"space must be a dict with parameters, like {example}, got {space!r}")
    for name, part in space.items():
        if not isinstance(name, str) or not isinstance(part, Space) or type(part) is Space:
            raise SettingError(
                f"space[{name!r}] must be one of fastnn.spaces' {', '.join(__all__[:-1])}, as in "
                f"{example}, got {part!r}"
            )
    return dict(space)
