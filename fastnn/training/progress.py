"""The progress of long fits: a bar on terminals and in notebooks, plain lines in log files."""

from __future__ import annotations

import importlib.util
import io
import sys
import time
from functools import cached_property
from typing import Any

import numpy as np

from fastnn._runtime.backend import announce_compilation
from fastnn.errors import SettingError
from fastnn.history import History

PATIENCE = 1.0  # seconds that a fit may take before "auto" shows a bar
INTERVAL = 10.0  # seconds before the first line of "auto" in a log, and at least between two
SHARE = 0.05  # of the time gone by, at least between two lines: 8 hours make about 120
LINES = 100  # that True writes into a log for a longer fit; a shorter one has a line an epoch


class _LogFile:
    """Stands for rich's console where stderr is a file or a pipe, without importing rich."""

    is_jupyter = is_terminal = False

    @property
    def file(self) -> Any:
        """Where lines are written: stderr; nowhere, if the process has none."""
        return io.StringIO() if sys.stderr is None else sys.stderr


def _console() -> Any:
    """Return rich's console on stderr, or a log file; rich is imported only here and to draw."""
    try:
        terminal = sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        terminal = False
    if not terminal and "IPython" not in sys.modules:
        return _LogFile()
    from rich.console import Console

    return Console(stderr=True)


def _draws(console: Any) -> bool:
    """Whether a bar can be drawn: in notebooks, and on terminals that move the cursor.

    Asked of the stream itself, for rich takes a log file for a terminal where FORCE_COLOR is set.
    """
    if console.is_jupyter:
        return importlib.util.find_spec("IPython") is not None
    return bool(console.is_terminal and console.file.isatty() and not console.is_dumb_terminal)


def _format_value(name: str, value: float) -> str:
    """Return a value with its name: four digits after the point, or an exponent."""
    plain = value == 0 or 1e-3 <= abs(value) < 1e5
    return f"{name.replace('_', ' ')} {value:{'.4f' if plain else '.3e'}}"


def _values(history: History, epoch: int, *, measured_then: bool) -> list[str]:
    """Return the values of an epoch; of curves with gaps, the last ones before it, unless told."""
    found = []
    for name, curve in history.items():
        if name == "learning_rate":
            continue
        known = curve[epoch - 1 : epoch] if measured_then else curve[:epoch]
        found += [_format_value(name, value) for value in known[~np.isnan(known)][-1:]]
    return found


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
        self._bar: Any = None
        self._text = ""  # the last epoch's line, while a log lacks it
        self._done = 0  # epochs that a log has had its chance to tell

    @cached_property
    def _console(self) -> Any:
        """Where a bar or lines appear; found when there is something to show."""
        return _console()

    @cached_property
    def _draws(self) -> bool:
        """Whether that can be a bar."""
        return _draws(self._console)

    def __enter__(self) -> ProgressReporter:
        self._began = self._written = time.monotonic()
        if self.mode is not False:
            announce_compilation(self._say, self._compiling)
        if self.mode is True and self._draws:
            self._show()
        return self

    def _say(self, sentence: str) -> None:
        """Print a sentence where the bar or the lines would stand."""
        if self._draws or self._console.is_jupyter:
            self._console.print(sentence, style="dim", highlight=False)
        elif self.mode is True:
            self._write(sentence)

    def _compiling(self, text: str) -> None:
        """Show how far a compilation has come: beside the bar, or in lines some time apart."""
        now = time.monotonic()
        if self._draws:
            if self._bar is None:
                self._show()
            self._bar.update(0, [text])
        elif self.mode is True and now - self._written >= INTERVAL:
            self._written = now
            self._write(text)

    def _write(self, text: str) -> None:
        """Write a plain line, at once: whoever follows the log sees it."""
        self._console.file.write(f"{text}\n")
        self._console.file.flush()

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._text and (self.mode is True or self._written > self._began):
            self._write(self._text)
        if self.mode is not False:
            announce_compilation(None)

    def _texts(self, history: History, epoch: int, *, measured_then: bool = False) -> list[str]:
        """Return what stands beside the number of an epoch."""
        return _values(history, epoch, measured_then=measured_then)

    def _show(self) -> None:
        """Start drawing; what draws is imported only here."""
        if self._console.is_jupyter:
            from .notebook_bar import NotebookBar

            self._bar = NotebookBar(self.epochs)
        else:
            from .terminal_bar import TerminalBar

            self._bar = TerminalBar(self._console, self.epochs)

    def update(self, history: History) -> None:
        """Show the last values of the history."""
        short = self.mode == "auto" and time.monotonic() - self._began <= PATIENCE
        if self.mode is False or short:
            return
        if not self._draws:
            self._log(history)
            return
        if self._bar is None:
            self._show()
        done = history.epochs
        self._bar.update(done, self._texts(history, done))

    def _log(self, history: History) -> None:
        """Write a line for each epoch that is due one, by its number or by the time gone by."""
        now, done = time.monotonic(), history.epochs
        gone, stride = now - self._began, -(-self.epochs // LINES)
        left = f"{gone * (self.epochs - done) / done:.0f} s left" if done else "first epoch"
        late = now - self._written >= max(INTERVAL, SHARE * gone)
        for epoch in range(self._done + 1, done + 1) if done else (0,):
            due = self.mode is True and epoch > 0 and (epoch == 1 or epoch % stride == 0)
            if not due and epoch < done:
                continue
            values = "  ".join(self._texts(history, epoch, measured_then=True))
            self._text = f"epoch {epoch}/{self.epochs}  {left}  {values}".rstrip()
            if due or late:
                self._write(self._text)
                self._text, self._written = "", now
        self._done = done
