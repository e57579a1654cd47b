"""The lesson of the notes, why loops are slow and vectors fast: the works of `fastnn compare`."""

from __future__ import annotations

import pytest

from fastnn import kernels

from .lesson import FULL, NAMES, QUICK, check


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("place", range(len(FULL)), ids=NAMES)
def test_lesson(place, backend, timed):
    check(place, backend)
    benchmark = timed(f"lesson: {FULL[place].name}", backend, dtype=FULL[place].dtype)
    call = (QUICK if benchmark.disabled else FULL)[place].prepare(backend)
    if backend == "loops":
        benchmark.pedantic(call, rounds=2)  # seconds each, and steady
    else:
        benchmark(call)
