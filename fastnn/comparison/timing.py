"""The lesson of vectorisation, measured: the same work as loops, as arrays and as compiled code."""

from __future__ import annotations

import platform
import statistics
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata, util
from typing import Any

import numpy as np

from fastnn import kernels
from fastnn._display.table import Table
from fastnn._runtime.threads import get_num_threads, set_num_threads
from fastnn._runtime.versions import cpu
from fastnn.errors import FastnnError

from .workloads import Workload, workloads

__all__ = ["compare", "conditions", "markdown", "speedup", "table"]

Array = np.ndarray[Any, Any]
Row = dict[str, Any]

#: How far a result may be from the loops', as a share of its largest number.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
#: Seconds of a measurement at least: shorter calls are repeated within one.
MIN_SECONDS = 2e-3
#: Measurements of each backend; the loops are measured less often, for they take most of the time.
ROUNDS, LOOP_ROUNDS = 11, 3
#: Seconds after which the loops are not measured once more.
MAX_LOOP_SECONDS = 1.0
#: Spread beyond which a row is marked: other work of the machine may have moved its times.
NOISY = 0.25


def compare(*, quick: bool = False, note: Callable[[str], object] | None = None) -> list[Row]:
    """Time the lesson's works on every backend, each result checked against the loops' first.

    Everything runs on one thread (NumPy's products too, where threadpoolctl is installed).

    Parameters
    ----------
    quick : bool
        Smaller works: a few seconds in all instead of some fifteen.
    note : callable, optional
        Is told the name of each work before it begins.

    Returns
    -------
    list of dict
        ``{"name", "dtype", "loops", "vectorized", "jitted", "spread"}``: the median seconds of one
        call, None for a backend that cannot run, and how far the measurements lie apart: the
        largest, over the backends, of the interquartile range as a share of the median.

    Raises
    ------
    FastnnError
        If a backend's result differs from the loops' by more than `TOLERANCE`.
    """
    rows = []
    with _one_thread():
        for work in workloads(quick=quick):
            if note is not None:
                note(work.name)
            rows.append(_measure(work))
    return rows


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit every backend to one thread, for backends are compared and not numbers of cores.

    NumPy's products have threads of their own, which wait for each other on a busy machine and
    then take a hundred times as long; threadpoolctl, where it is installed, can switch them off.
    """
    before = get_num_threads()
    with ExitStack() as stack:
        if util.find_spec("threadpoolctl") is not None:
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(1, user_api="blas"))
        set_num_threads(1)
        stack.callback(set_num_threads, before)
        yield


def _measure(work: Workload) -> Row:
    """Check and time one work: warm, the backends by turns, medians."""
    calls = {name: work.prepare(name) for name in kernels.BACKENDS if kernels.get(name).available}
    began = time.perf_counter()
    wanted = [np.array(part) for part in calls["loops"]()]
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    seconds["loops"].append(time.perf_counter() - began)
    repeats = {"loops": 1}
    for name in set(calls) - {"loops"}:
        _check_result(work, name, wanted, calls[name]())
        repeats[name] = max(1, round(MIN_SECONDS / max(_time(calls[name], 1), 1e-9)))
    for turn in range(ROUNDS):
        for name, call in calls.items():
            if name == "loops" and (turn >= LOOP_ROUNDS or sum(seconds[name]) > MAX_LOOP_SECONDS):
                continue
            seconds[name].append(_time(call, repeats[name]))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    row: Row = {"name": work.name, "dtype": work.dtype}
    row |= {name: medians.get(name) for name in kernels.BACKENDS}
    return row | {"spread": max(_spread(times) for times in seconds.values())}


def _spread(times: Sequence[float]) -> float:
    """Return the interquartile range of times as a share of their median; 0 for a single one."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / middle


def _time(call: Callable[[], object], repeats: int) -> float:
    """Return the seconds of one call, the mean of `repeats` calls."""
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats


def _check_result(work: Workload, name: str, wanted: Sequence[Array], found: Sequence[Any]) -> None:
    """Refuse a result that differs from that of the loops, the specification."""
    for want, got in zip(wanted, found, strict=True):
        scale = float(np.abs(want).max()) or 1.0
        error = float(np.abs(np.asarray(got) - want).max()) / scale
        if not error <= TOLERANCE[work.dtype]:
            raise FastnnError(
                f"{work.name}: the result of {name!r} differs from the loops' by {error:.1e} of "
                f"its largest number, more than {TOLERANCE[work.dtype]:g}; nothing was timed. "
                "Please report this with the output of `fastnn info`"
            )


def speedup(row: Mapping[str, Any], way: str, over: str = "loops") -> float | None:
    """Return how many times faster `way` is than `over` in a row, None where one has no time."""
    if row.get(way) is None or row.get(over) is None:
        return None
    return float(row[over]) / float(row[way])


def conditions() -> str:
    """Return the machine, the number of threads and the versions in one line."""
    versions = ", ".join(f"{name} {metadata.version(name.lower())}" for name in ("NumPy", "Numba"))
    own = "" if util.find_spec("threadpoolctl") else " (NumPy's products: as many as they take)"
    return f"{cpu()}, one thread{own}, Python {platform.python_version()}, {versions}"


HEADINGS = ("work", "dtype", "loops", "vectorized", "jitted", "vectorized ×", "jitted ×", "spread")


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells of the table, a tuple for each line, the headings first.

    The last column is left out where no row has a spread.
    """
    shown = len(HEADINGS) if any("spread" in row for row in rows) else len(HEADINGS) - 1
    lines: list[tuple[str, ...]] = [HEADINGS[:shown]]
    for row in rows:
        times = [_format_duration(row.get(way)) for way in kernels.BACKENDS]
        ratios = [_format_ratio(speedup(row, way)) for way in ("vectorized", "jitted")]
        spread = _format_spread(row.get("spread"))
        line = (str(row["name"]), str(row.get("dtype", "")), *times, *ratios, spread)
        lines.append(line[:shown])
    return lines


def _legend(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the columns mean and where the times were taken, with a warning of noisy rows."""
    spreads = [row["spread"] or 0 for row in rows if "spread" in row]
    text = "×: times faster than loops"
    if spreads:
        text += "; spread: interquartile range over median, of the backend where it is largest"
    text += f". {conditions()}."
    if any(spread > NOISY for spread in spreads):
        text += (
            " !: the times of this row lie far apart; close other programs and measure once more."
        )
    return text


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of `compare` as a plain text table, with its legend and the conditions below."""
    head, *body = _cells(rows)
    lines = Table(head, [(), *body], "ll" + "r" * (len(head) - 2), rule="-").text().splitlines()
    return "\n".join([*lines, "", *textwrap.wrap(_legend(rows), len(lines[1]))])


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of `compare` as a Markdown table, its last line the conditions."""
    head, *body = _cells(rows)
    lines = [head, (":--", ":--", *["--:"] * (len(head) - 2)), *body]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_legend(rows)}"


def _format_duration(seconds: float | None) -> str:
    """Return seconds with three digits and the unit that suits them."""
    if seconds is None:
        return "–"
    units = {"s": 1.0, "ms": 1e-3, "µs": 1e-6}
    unit = next((unit for unit, scale in units.items() if seconds >= 0.9995 * scale), "µs")
    value = seconds / units[unit]
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _format_ratio(value: float | None) -> str:
    """Return a ratio with two or three digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _format_spread(value: float | None) -> str:
    """Return a spread in per cent, marked where the row is noisy."""
    if value is None:
        return "–"
    return f"{value:.0%} !" if value > NOISY else f"{value:.0%}"
