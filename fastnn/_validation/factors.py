"""Checks of a schedule that a user may have written: its class, and the factors that it gives."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, TypeVar

from fastnn.errors import SettingError

ScheduleT = TypeVar("ScheduleT")


def check_factors(schedule: object, times: Sequence[float], factors: Sequence[Any]) -> list[float]:
    """Return a schedule's factors at these times, in epochs, or say which one is none."""
    for time, factor in zip(times, factors, strict=True):
        good = isinstance(factor, numbers.Real) and not isinstance(factor, bool)
        if not good or not 0 <= factor < math.inf:
            raise SettingError(
                f"schedule {schedule!r} has the factor {factor!r} at epoch {time:g} of its time; "
                "factor(time) must return a finite number that is not negative"
            )
    return list(factors)


def check_schedule(schedule: Any, base: type[ScheduleT], name: str = "schedule") -> ScheduleT:
    """Return a schedule that a fit can follow, or say what is wrong with it.

    base: the class Schedule, which stands above this module.
    """
    if not isinstance(schedule, base):
        advice = "an object like fastnn.schedules.Cosine(50)"
        if isinstance(schedule, type) and issubclass(schedule, base):
            advice = f"an object: write {schedule.__name__}(…)"
        elif callable(schedule):
            advice += (
                ", for a function may mean a rate or a factor, and no file could hold it: write a "
                "subclass of fastnn.schedules.Schedule with a method factor(self, time)"
            )
        raise SettingError(f"{name} must be {advice}; got {schedule!r}")
    if not type(schedule).__module__.startswith("fastnn."):
        base.__post_init__(schedule)  # type: ignore[attr-defined]  # its own may not call it
    return schedule
