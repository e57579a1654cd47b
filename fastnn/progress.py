"""The progress line of long fits: epoch, time left, cost and accuracy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ._backend import announce_compilation
from .errors import SettingError

if TYPE_CHECKING:
    from .history import History

PATIENCE = 1.0  # seconds that a fit may take before "auto" shows a line


def _console() -> Any:
    """Return rich's console on stderr; rich is imported only here and where it draws."""
    from rich.console import Console

    return Console(stderr=True)


class Line:
    """A line that is shown (True), hidden (False), or shown on screens once a fit takes long.

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
        self._task: Any = None

    def __enter__(self) -> Line:
        self._began = time.monotonic()
        if self.mode is not False:
            announce_compilation(self._say)
        if self.mode is True:
            self._show()
        return self

    def _say(self, sentence: str) -> None:
        """Print a sentence where the line would stand."""
        console = _console()
        if self.mode is True or console.is_terminal or console.is_jupyter:
            console.print(sentence, style="dim", highlight=False)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
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

        console = _console()
        if self.mode == "auto" and not (console.is_terminal or console.is_jupyter):
            self.mode = False
            return
        self._bar = Progress(
            TextColumn("epoch"), MofNCompleteColumn(), BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[values]}"),
            console=console,
        )  # fmt: skip
        self._task = self._bar.add_task("fit", total=self.epochs, values="")
        self._bar.start()

    def update(self, history: History) -> None:
        """Show the last values of the history."""
        if self._bar is None:
            if self.mode == "auto" and time.monotonic() - self._began > PATIENCE:
                self._show()
            if self._bar is None:
                return
        values = "  ".join(f"{name.replace('_', ' ')} {history[name][-1]:.4f}" for name in history)
        self._bar.update(self._task, completed=history.epochs, values=values)
