"""The course's training runs, through `Network.fit`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from fastnn import kernels

from .runs import PLANAR, RUNS, TABLE, table

SMOKE_EPOCHS = 2  # where nothing is timed
LOOPED = replace(PLANAR, epochs=5)
LONG = 10_000_000  # rows whose shuffle takes longer than a chunk of steps; nothing else does


def measure(run, backend, timed, rounds):
    """Check a run, then time it from its first weights, again and again."""
    run.check(backend)
    benchmark = timed(run.name, backend, dtype=run.dtype, steps=run.steps)
    if benchmark.disabled:
        run = replace(run, epochs=min(run.epochs, SMOKE_EPOCHS))

    def setup():
        return (run.network(), backend), {}

    costs = benchmark.pedantic(run.fit, setup=setup, rounds=rounds)
    assert len(costs) == run.epochs
    if benchmark.enabled:
        median = benchmark.stats.stats.median
        benchmark.extra_info["µs per step"] = round(median * 1e6 / run.steps, 2)


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.title}-{run.dtype}")
def test_run(run, backend, timed):
    measure(run, backend, timed, rounds=5)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_smallest_run_also_in_loops(backend, timed):
    measure(LOOPED, backend, timed, rounds=3)


def test_epochs_of_many_rows(timed):
    """An epoch shuffles once, though its chunks are shorter than a shuffle."""
    TABLE.check("jitted")
    benchmark = timed(f"table of {LONG} rows [3, 4, 1], 2 epochs {TABLE.dtype}", "jitted")
    run = TABLE if benchmark.disabled else replace(TABLE, data=partial(table, LONG))

    def setup():
        return (run.network(), "jitted"), {}

    costs = benchmark.pedantic(run.fit, setup=setup, rounds=3)
    assert len(costs) == run.epochs
