"""Scans: all rows of a source once and in their order, some at a time, read ahead."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import numpy as np

from fastnn.kernels.backend import Backend
from fastnn.lowering.program import Program

from .examples import StreamedExamples
from .plan import plan_windows
from .reader import Reader, Window
from .rows import CheckedRows, SelectedRows

Array = np.ndarray[Any, Any]
#: Returns (cost, share of right examples), means by weight, of X (m, n), Y (m, K) and w (m,).
Score = Callable[[Array, Array, Array], tuple[float, float]]


def windows_of(
    examples: StreamedExamples, multiple: int = 1, part: slice = slice(None)
) -> Generator[Window, None, None]:
    """Yield all examples, or a part of them, in windows of multiples of so many but for the last.

    Whoever does not go to the end closes the generator, which ends its thread.
    """
    rows = max(examples.X.checked.scan_bytes // examples.row_bytes(), multiple)
    plan = plan_windows(examples.X, rows, multiple, part=part)
    with Reader(examples, plan, range(1), _no_shuffle) as reader:
        yield from reader


def _no_shuffle(order: Array, seed: int, epoch: int) -> None:
    """Leave an order as it is."""


def score_by(kernels: Backend, program: Program, threads: Callable[[], int]) -> Score:
    """Return the function by which a backend scores examples that lie in memory."""
    return lambda X, Y, w: kernels.evaluate(
        program.ops, program.theta, program.state, X, Y, w, threads
    )


def sums_of(
    examples: StreamedExamples, score: Score, part: slice = slice(None)
) -> tuple[float, float, float]:
    """Return Σ w ℓ, Σ w of the right ones, and Σ w of all examples or of a part of them."""
    cost = hits = total = 0.0
    if not range(examples.shape[0])[part]:
        return cost, hits, total
    with closing(windows_of(examples, part=part)) as windows:
        for window in windows:
            found = score(window.X, window.Y, window.w)
            weight = float(window.w.sum(dtype=np.float64))
            right = found[1] * weight
            if not (examples.targets and examples.targets.weighted):
                right = round(right)  # a whole number of examples
            cost, hits, total = cost + found[0] * weight, hits + right, total + weight
    return cost, hits, total


def scores_of(examples: StreamedExamples, score: Score) -> tuple[float, float]:
    """Return (cost, share of right examples), means over all examples by weight."""
    cost, hits, total = sums_of(examples, score)
    return (cost / total, hits / total) if total > 0 else (0.0, 0.0)


def fill_outputs(
    rows: CheckedRows | SelectedRows, predict: Callable[[Array, Array], None], out: Array
) -> None:
    """Fill out (m, K) some rows at a time: predict(X, out) does it for those that it is given."""
    done = 0
    with closing(windows_of(StreamedExamples(rows))) as windows:
        for window in windows:
            predict(window.X, out[done : done + len(window.X)])
            done += len(window.X)
