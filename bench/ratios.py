"""The ratio vectorized / jitted of every op and training run, losers first: python -m bench.ratios.

Medians of calls that take turns in one process, after their results were checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from fastnn.comparison.timing import _one_thread

from . import machine
from .lesson import FULL, check
from .ops import OPS, Op
from .runs import RUNS, Run
from .timing import medians

Order = Literal["C", "F"]
COMPARED = ("vectorized", "jitted")


@dataclass(frozen=True)
class Ratio:
    """Median seconds of both backends for the same work."""

    name: str
    vectorized: float
    jitted: float

    @property
    def ratio(self) -> float:
        """How many times faster jitted is."""
        return self.vectorized / self.jitted

    def __str__(self) -> str:
        vectorized, jitted = self.vectorized * 1e6, self.jitted * 1e6
        return f"{self.ratio:8.2f}  {vectorized:12.1f}  {jitted:12.1f}  {self.name}"


def of_work(place: int, seconds: float) -> Ratio:
    """Measure one of the lesson's works, in seconds per call."""
    for backend in COMPARED:
        check(place, backend)
    times = medians({backend: FULL[place].prepare(backend) for backend in COMPARED}, seconds)
    return Ratio(f"{FULL[place].name} {FULL[place].dtype}", **times)


def of_op(op: Op, seconds: float) -> Ratio:
    """Measure an op, in seconds per call."""
    for backend in COMPARED:
        op.check(backend)
    times = medians({backend: op.call(backend) for backend in COMPARED}, seconds)
    return Ratio(op.name, **times)


def of_run(run: Run, seconds: float) -> Ratio:
    """Measure a training run, in seconds per step; each call goes on where the last one stopped."""
    for backend in COMPARED:
        run.check(backend)
    calls = {backend: partial(run.fit, run.network(), backend) for backend in COMPARED}
    times = medians(calls, seconds)
    return Ratio(run.name, **{backend: time / run.steps for backend, time in times.items()})


def measure(seconds: float, chosen: str = "", order: Order = "C") -> Iterator[Ratio]:
    """Measure everything whose name contains the chosen text; `order` is that of ops' matrices."""
    for place, work in enumerate(FULL):
        if chosen in work.name:
            yield of_work(place, seconds)
    for op in OPS:
        if chosen in op.name:
            yield of_op(replace(op, order=order), seconds)
    for run in RUNS:
        if chosen in run.name:
            yield of_run(run, 4 * seconds)


def table(ratios: Iterable[Ratio]) -> str:
    """Lay the ratios out as text, the smallest first."""
    lines = sorted(ratios, key=lambda r: r.ratio)
    return "\n".join(
        ["   ratio  vectorized µs     jitted µs  of one call or step", *map(str, lines)]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Print the ratio vectorized / jitted of all rows.")
    parser.add_argument("name", nargs="?", default="", help="only rows whose name contains this")
    parser.add_argument("--seconds", type=float, default=0.3, help="spent on a row")
    parser.add_argument("--one-thread", action="store_true", help="as the table of loops")
    parser.add_argument(
        "--order", choices=("C", "F"), default="C", help="F: as compiled ops want it, uncopied"
    )
    options = parser.parse_args()
    print(machine.line() + ("; all on one thread" if options.one_thread else ""))
    with _one_thread() if options.one_thread else nullcontext():
        print(table(measure(options.seconds, options.name, options.order)))


if __name__ == "__main__":
    main()
