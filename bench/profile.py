"""Where the time of a step goes, by phase, layer and kernel: python -m bench.profile ROW.

ROW is a training row of `bench.peers`. Its first costs are compared with those of the vectorized
backend. Then the same fit runs with a trace and without one in turns; both must end at the same
bits. The trace times every call of the kernels that a step consists of, inside the compiled step
itself, at any number of threads. Lines are means over threads, and with the rest they add up to the
traced step.

It cannot tell waiting at barriers from what the compiler has put between kernels: both are the
rest, of which one thread shows the second part alone. Barriers inside a kernel, as in the update,
count as that kernel's. A call that names no layer gets that of the call beside it. Reading the
clock and writing a record takes some 20 ns a call, most of it in the rest; steps of a few µs become
longer by what the report says. x86 processors only.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

import fastnn

from . import machine
from .breakdown import ORDER, PRODUCTS, Breakdown, Line, breakdown, is_traced
from .peers.by_fastnn import Fastnn
from .peers.measure import COST_BOUND
from .peers.rows import ROWS, Row, Task, chosen
from .trace import Trace, installed, require_counter

NAMES = tuple(row.name for row in ROWS if not row.predicts)
LEAST = 8  # steps that a trace holds at least
CHECKED_STEPS = 4  # of an epoch, of which two are compared


def check(row: Row) -> None:
    """Check the costs of a few steps against those of the vectorized backend.

    Raises
    ------
    AssertionError
        If they differ by more than the bound.
    """
    few = replace(row, m=min(row.m, CHECKED_STEPS * row.batch_size), epochs=2)
    costs = {}
    for backend in ("vectorized", "jitted"):
        contender = Fastnn(Task.of(few))
        contender.prepare(few.epochs)
        with fastnn.backend(backend):
            costs[backend] = contender.fit(few.epochs)
    np.testing.assert_allclose(costs["jitted"], costs["vectorized"], rtol=COST_BOUND)


class Fit:
    """A row's fit, again and again from the first weights, with a trace or without."""

    def __init__(self, row: Row, seconds: float) -> None:
        self.contender, self.row, self.trace = Fastnn(Task.of(row)), row, Trace(is_traced)
        self.epochs = least = -(-LEAST // len(row.batches))
        self.plain()  # compiles the kernels
        self.traced()  # compiles what writes the records
        most = min(9 * self.trace.capacity * least // (10 * len(self.trace.records)), row.epochs)
        for _ in range(2):  # the first fit is short, and so mostly its start
            wanted = round(seconds / (self.plain() * len(row.batches)))
            self.epochs = max(least, min(most, wanted))

    def plain(self) -> float:
        """Return the mean seconds of a step of one fit."""
        self.contender.prepare(self.epochs)
        began = time.perf_counter()
        self.contender.fit(self.epochs)
        return (time.perf_counter() - began) / (self.epochs * len(self.row.batches))

    def traced(self) -> float:
        """Return the same of a fit with a trace, which then holds its steps."""
        self.trace.clear()
        with installed(self.trace):
            return self.plain()

    def breakdown(self) -> Breakdown:
        """Return what the last traced fit found."""
        return breakdown(self.trace, self.contender.network.program.ops)

    def check(self) -> None:
        """Check that a traced fit ends at the same bits."""
        self.plain()
        wanted = dict(self.contender.network.parameters)
        self.traced()
        for name, found in self.contender.network.parameters.items():
            np.testing.assert_array_equal(found, wanted[name], err_msg=f"{name} of a traced fit")


@dataclass(frozen=True)
class Profile:
    """A fit, the median seconds of its step untraced and traced, and a step of median length."""

    fit: Fit
    plain: float
    traced: float
    step: Breakdown


def measured(row: Row, seconds: float, rounds: int) -> Profile:
    """Check the row's results, then time its fit with a trace and without one in turns."""
    check(row)
    fit = Fit(row.timed(), seconds)
    fit.check()
    plain, traced, steps = [], [], []
    for _ in range(rounds):
        plain.append(fit.plain())
        traced.append(fit.traced())
        steps.append(fit.breakdown())
    steps.sort(key=lambda step: step.whole)
    median = steps[len(steps) // 2]
    return Profile(fit, statistics.median(plain), statistics.median(traced), median)


def _rate(line: Line, fit: Fit, seconds: float) -> str:
    """Return GFLOP/s of a line that is a product, by all threads together; else nothing."""
    if line.kernel not in PRODUCTS or line.row < 1:
        return ""
    op = fit.contender.network.program.ops[line.row]
    m = fit.row.m / len(fit.row.batches)
    return f"{2e-9 * m * op['n_in'] * op['n_out'] / seconds:.1f}"


def _line(phase: str, layer: str, kernel: str, step: float, seconds: float, rate: str = "") -> str:
    """Return a line of the table: seconds in µs and as a share of the step's."""
    share = f"{100 * seconds / step:.1f} %"
    return f"{phase:9}{layer:10}{kernel:26}{seconds * 1e6:11.2f}{share:>9}{rate:>9}".rstrip()


def table(fit: Fit, step: Breakdown) -> Iterator[str]:
    """Yield the lines of the table: kernels by phase and layer, the rest, and each phase's sum."""
    names, cycle = fit.contender.network.program.names, fit.trace.clock.seconds_per_cycle()
    whole = step.whole * cycle
    yield f"{'phase':9}{'layer':10}{'kernel':26}{'µs':>11}{'share':>9}{'GFLOP/s':>9}"
    for line in step.lines:
        layer, seconds = names[line.row] if line.row >= 0 else "", line.cycles * cycle
        yield _line(line.phase, layer, line.kernel, whole, seconds, _rate(line, fit, seconds))
    yield _line("rest", "", "between kernels, waiting", whole, step.rest * cycle)
    yield _line("step", "", "", whole, whole)
    yield ""
    for phase in ORDER:
        seconds = cycle * sum(line.cycles for line in step.lines if line.phase == phase)
        if seconds:
            yield _line(phase, "", "all", whole, seconds)


def report(row: Row, profile: Profile) -> Iterator[str]:
    """Yield the whole report: what was measured, what tracing cost, and the table."""
    plain, traced, step = profile.plain * 1e6, profile.traced * 1e6, profile.step
    members = f"{step.threads} thread{'s' if step.threads > 1 else ''}"
    yield f"{row.name}: {row.title}; {row.dtype}"
    yield machine.line()
    yield (
        f"a step takes {plain:.2f} µs, with a trace {traced:.2f} µs ({traced / plain - 1:+.1%}): "
        "means of whole fits"
    )
    yield f"below: the mean of {step.steps} traced steps on {members}"
    yield ""
    yield from table(profile.fit, step)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("row", metavar="ROW", choices=NAMES, help=", ".join(NAMES))
    parser.add_argument("--threads", type=int, default=1, help="at most; default 1")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--seconds", type=float, default=0.5, help="about, of each fit")
    parser.add_argument("--rounds", type=int, default=5, help="fits traced and fits not")
    options = parser.parse_args()
    try:
        require_counter()
    except RuntimeError as error:
        parser.error(str(error))
    fastnn.set_num_threads(options.threads)
    (row,) = chosen(options.row)
    row = replace(row, dtype=options.dtype)
    for text in report(row, measured(row, options.seconds, options.rounds)):
        print(text)


if __name__ == "__main__":
    main()
