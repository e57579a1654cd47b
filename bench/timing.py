"""Timing: medians of calls that take turns, so that a busy moment of the machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]

SHORTEST = 2e-4  # seconds of one sample: far above the clock's grain and a function call


def clock(call: Call, repeats: int = 1) -> float:
    """Return the seconds of one call, averaged over consecutive repeats."""
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats


def medians(calls: Mapping[str, Call], seconds: float = 0.3, least: int = 5) -> dict[str, float]:
    """Return each call's median seconds, by name; all share the time, and take turns.

    At least `least` turns are taken, however long they last.
    """
    repeats = {
        name: max(1, round(SHORTEST / max(clock(call), 1e-7))) for name, call in calls.items()
    }
    samples: dict[str, list[float]] = {name: [] for name in calls}
    end, turns = time.perf_counter() + seconds, 0
    while turns < least or time.perf_counter() < end:
        for name, call in calls.items():
            samples[name].append(clock(call, repeats[name]))
        turns += 1
    return {name: statistics.median(values) for name, values in samples.items()}
