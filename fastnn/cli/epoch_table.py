"""The table of a training: its columns, a line for each tenth of the epochs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from fastnn.history import History

from .output import print_result

#: Lines about the progress of a training, beside the one after the first epoch.
N_REPORTS = 10
#: Seconds after which there is a line in any case.
INTERVAL = 10.0


def report_epochs(epochs: int) -> list[int]:
    """The epochs after which there is a line: the first, and about ten at equal distances."""
    return sorted({1, *(-(-epochs * k // N_REPORTS) for k in range(1, N_REPORTS + 1))})


class EpochTable:
    """A callback that prints the header, and a line after some of the epochs and the last one.

    Parameters
    ----------
    epochs : int
        Of the whole training.
    done : int
        Epochs before this fit, by a checkpoint.
    held_out : str
        What the validation scores are of: ``"test"`` or ``"validation"``.
    rates : bool
        Whether the learning rate has a column, as it changes.
    """

    def __init__(self, epochs: int, done: int, held_out: str, rates: bool = False) -> None:
        self._marks = set(report_epochs(epochs))
        self._done, self._held_out, self._rates = done, held_out, rates
        self._written = 0.0
        self._columns: list[tuple[str, int]] = []
        self._last = 0  # the epoch of the last line

    def __call__(self, network: Any, history: History) -> None:
        """Print the line of the epoch that has just ended, if it is time."""
        if not self._columns:
            self._begin(history)
        epoch, now = self._done + history.epochs, time.monotonic()
        if epoch in self._marks or now - self._written >= INTERVAL:
            self._print(epoch, history)
            self._written = now

    def close(self, history: History) -> None:
        """Print the line of the last epoch, where the fit ended before its time."""
        epoch = self._done + history.epochs
        if history.epochs and epoch != self._last:
            if not self._columns:
                self._begin(history)
            self._print(epoch, history)

    def _begin(self, history: History) -> None:
        """Choose the columns, and print their titles."""
        left_out = {"validation_cost"} if "validation_accuracy" in history else set()
        left_out |= set() if self._rates else {"learning_rate"}
        known = [name for name in history if name not in left_out]
        self._columns = [(name, max(8, len(self._title(name)))) for name in known]
        titles = "  ".join(f"{self._title(name):>{width}}" for name, width in self._columns)
        print_result(f"\n{'epoch':>6}  {titles}")
        self._written = time.monotonic()

    def _title(self, name: str) -> str:
        """Return the title of a curve's column."""
        return name.replace("validation", self._held_out).replace("_", " ")

    def _print(self, epoch: int, history: History) -> None:
        """Print a line; a value that was not measured is a dash."""
        cells = (
            f"{_number(name, float(history[name][-1])):>{width}}" for name, width in self._columns
        )
        print_result(f"{epoch:6}  {'  '.join(cells)}")
        self._last = epoch


def _number(name: str, value: float) -> str:
    """Return a value with four decimals, in powers of ten where it is large; rates as they are."""
    if np.isnan(value):
        return "–"
    if name == "learning_rate":
        return f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.2e}"
