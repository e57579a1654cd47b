"""The progress of long fits: a bar on terminals and in notebooks, plain lines in log files."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np

from fastnn._runtime.backend import announce_compilation
from fastnn.errors import SettingError
from fastnn.history import History

PATIENCE = 1.0  # seconds that a fit may take before "auto" shows a bar
INTERVAL = 10.0  # seconds before the first line in a log, and at least between two
SHARE = 0.05  # of the time gone by, at least between two lines: 8 hours make about 120


def _console() -> Any:
    """Return rich's console on stderr; rich is imported only here and where it draws."""
    from rich.console import Console

    return Console(stderr=True)


def _draws(console: Any) -> bool:
    """Whether a bar can be drawn: on terminals that move the cursor, and with notebook widgets.

    Asked of the stream itself, for rich takes a log file for a terminal where FORCE_COLOR is set.
    In notebooks rich draws through ipywidgets, and warns where that is not installed.
    """
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return bool(console.is_terminal and console.file.isatty() and not console.is_dumb_terminal)


class ProgressReporter:
    """Shows how far a fit has come: always (True), never (False), or once it takes long ("auto").

    Parameters
    ----------
    epochs : int
        How many epochs the fit will take.
    mode : "auto" or bool
        As `Network.fit` takes it.
    """

    def __init__(self, epochs: int, mode: str | bool) -> None:
        if mode not in ("auto", True, False):
            raise SettingError(f"progress must be 'auto', True or False, got {mode!r}")
        self.epochs, self.mode = epochs, mode
        self._console: Any = None
        self._bar: Any = None
        self._task: Any = None
        self._text = ""  # the last epoch's line, while a log lacks it

    def __enter__(self) -> ProgressReporter:
        self._began = self._written = time.monotonic()
        if self.mode is not False:
            self._console = _console()
            self._draws = _draws(self._console)
            announce_compilation(self._say)
        if self.mode is True and self._draws:
            self._show()
        return self

    def _say(self, sentence: str) -> None:
        """Print a sentence where the bar or the lines would stand."""
        if self._draws or self._console.is_jupyter:
            self._console.print(sentence, style="dim", highlight=False)
        elif self.mode is True:
            self._write(sentence)

    def _write(self, text: str) -> None:
        """Write a plain line, at once: whoever follows the log sees it."""
        self._console.file.write(f"{text}\n")
        self._console.file.flush()

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._text and (self.mode is True or self._written > self._began):
            self._write(self._text)
        if self.mode is not False:
            announce_compilation(None)

    def _show(self) -> None:
        """Start drawing; rich is imported only here."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("epoch"), MofNCompleteColumn(), BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[values]}"),
            console=self._console,
        )  # fmt: skip
        self._task = self._bar.add_task("fit", total=self.epochs, values="")
        self._bar.start()

    def update(self, history: History) -> None:
        """Show the last values of the history."""
        if self.mode is False:
            return
        now = time.monotonic()
        if self._draws and self._bar is None:
            if now - self._began <= PATIENCE:
                return
            self._show()
        # A metric of the epoch that has just ended is measured later: its last value is shown.
        last = {name: curve[~np.isnan(curve)][-1:] for name, curve in history.items()}
        values = "  ".join(
            f"{name.replace('_', ' ')} {v[0]:.4f}" for name, v in last.items() if len(v)
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=history.epochs, values=values)
            return
        done, gone = history.epochs, now - self._began
        left = f"{gone * (self.epochs - done) / done:.0f} s left" if done else "first epoch"
        self._text = f"epoch {done}/{self.epochs}  {left}  {values}".rstrip()
        if now - self._written >= max(INTERVAL, SHARE * gone):
            self._write(self._text)
            self._text, self._written = "", now
