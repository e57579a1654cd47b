"""The speed table of README and documentation, measured: python -m bench.readme [--write].

The rows of `fastnn compare`, a wider dense layer, and steps of two small nets; a few of them in the
README, all in `performance.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastnn.kernels.op_registry import Sample

from fastnn import kernels
from fastnn.comparison.timing import _measure, _one_thread, markdown
from fastnn.comparison.workloads import Workload, workloads
from fastnn.saving.atomic_write import write_text

from .runs import CIRCLES, PLANAR, Run

BEGIN, END = "<!-- speed table: begin -->", "<!-- speed table: end -->"
ROOT = Path(__file__).resolve().parent.parent
README, PERFORMANCE = ROOT / "README.md", ROOT / ".github/docs/performance.md"
#: How the names of the rows begin that stand in the README; the page of performance has all.
SHORT = ("dot", "logistic", "one epoch", "a step of circles")
LOOPED_STEPS = 5  # full-batch steps cost the same, so a few of them tell the price of one
Row = Mapping[str, Any]


def _dense(backend: str) -> Callable[[], Sequence[Any]]:
    """Return forward and backward of a wide layer on that backend, to be called."""
    ops, s = kernels.get(backend), Sample(128, 784, 512, "float32")
    X, W, b, Z = s.real(128, 784), s.real(784, 512), s.real(512), s.out(128, 512)
    dZ, gradients = s.real(128, 512), (s.out(128, 784), s.out(784, 512), s.out(512))

    def call() -> Sequence[Any]:
        ops.dense_forward(X, W, b, Z)
        ops.dense_backward(X, W, dZ, *gradients)
        return Z, *gradients

    return call


def _steps(run: Run, backend: str) -> int:
    """How many steps one call takes on a backend."""
    return LOOPED_STEPS if backend == "loops" else run.epochs


def _training(run: Run, backend: str) -> Callable[[], Sequence[Any]]:
    """Return a fit from the first weights, to be called; its first costs are its result."""
    some = replace(run, epochs=_steps(run, backend))
    return lambda: [some.fit(some.network(), backend)[:LOOPED_STEPS]]


def _step(run: Run) -> Row:
    """Measure a run, in seconds per step."""
    name = f"a step of {run.title}, {len(run.data()[0])} examples"
    row = _measure(Workload(name, run.dtype, lambda backend: _training(run, backend)))
    return row | {
        backend: row[backend] and row[backend] / _steps(run, backend)
        for backend in kernels.BACKENDS
    }


def measured() -> list[Row]:
    """Measure the table's rows; the wide layer stands for compare's own dense ones."""
    wide = Workload("dense forward and backward, 128 × 784 → 512", "float32", _dense)
    taken = [work for work in workloads() if not work.name.startswith("dense")]
    with _one_thread():
        return [*map(_measure, [*taken, wide]), *map(_step, (PLANAR, CIRCLES))]


def block(rows: Sequence[Row]) -> str:
    """Return the text that stands between the markers."""
    note = (
        f"Steps: means over {PLANAR.epochs} full-batch steps through `Network.fit`, "
        f"in loops over {LOOPED_STEPS}. Measured by `python -m bench.readme`."
    )
    return f"{markdown(rows)}\n{note}"


def replaced(text: str, content: str, opening: str = BEGIN, closing: str = END) -> str:
    """Return a page's text with what stands between two markers replaced.

    Raises
    ------
    ValueError
        If the two markers do not stand in it once each, in this order.
    """
    head, begin, rest = text.partition(opening)
    _, end, tail = rest.partition(closing)
    if not (begin and end) or opening in rest or closing in head + tail:
        raise ValueError(f"the page must hold {opening!r} and then {closing!r}, each once")
    return f"{head}{opening}\n{content}\n{closing}{tail}"


def write(path: Path, rows: Sequence[Row]) -> None:
    """Put the rows into the page at that path."""
    text = path.read_text(encoding="utf-8")
    write_text(path, replaced(text, block(rows)), path.name)


def main() -> None:
    """Measure, and print the table or put it into the pages."""
    parser = argparse.ArgumentParser(description="Measure the speed table.")
    parser.add_argument("--write", action="store_true", help="put it into the two pages")
    options = parser.parse_args()
    if options.write:
        for page in (README, PERFORMANCE):  # markers missing: say so before measuring
            replaced(page.read_text(encoding="utf-8"), "")
    rows = measured()
    print(block(rows))
    if options.write:
        write(PERFORMANCE, rows)
        write(README, [row for row in rows if row["name"].startswith(SHORT)])


if __name__ == "__main__":
    main()
