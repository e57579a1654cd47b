"""The factors that a schedule gives to steps, checked."""

from __future__ import annotations

from collections.abc import Sequence

from fastnn._validation.factors import check_factors
from fastnn.schedules import Schedule


def factors_at(schedule: Schedule, times: Sequence[float], step: float) -> list[float]:
    """Return the factors of the steps that begin at these times, each of `step` epochs."""
    if type(schedule).at is not Schedule.at or schedule.per == "epoch":
        return check_factors(schedule, times, [schedule.at(time, step) for time in times])
    factor = schedule.factor  # at every step: the way over `at` takes a microsecond
    return check_factors(schedule, times, [factor(time) for time in times])
