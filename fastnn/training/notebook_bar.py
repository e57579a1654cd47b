"""The bar of a fit in a notebook: one output of the cell that is rewritten, without widgets."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence

from IPython.display import DisplayHandle

INTERVAL = 0.1  # seconds at least between two messages to the page


class NotebookBar:
    """Shows an HTML bar, which a saved notebook keeps as it stood last."""

    def __init__(self, epochs: int) -> None:
        self._epochs, self._began = epochs, time.monotonic()
        self._done, self._values = 0, list[str]()
        self._handle = DisplayHandle()
        self._handle.display(self._picture(), raw=True)
        self._shown = self._began

    def update(self, done: int, values: Sequence[str]) -> None:
        """Show how many epochs are done, and their last values."""
        self._done, self._values = done, list(values)
        if time.monotonic() - self._shown >= INTERVAL:
            self._show()

    def close(self) -> None:
        """Show the last state, and leave it there."""
        self._show()

    def _show(self) -> None:
        self._handle.update(self._picture(), raw=True)
        self._shown = time.monotonic()

    def _picture(self) -> dict[str, str]:
        """Return the bar as HTML, and as a line of text for pages that show none."""
        done, gone = self._done, time.monotonic() - self._began
        clock = f"{gone:.0f} s"
        if 0 < done < self._epochs:
            clock += f", {gone * (self._epochs - done) / done:.0f} s left"
        count = f"epoch {done}/{self._epochs}"
        values = "  ".join(self._values)
        return {
            "text/plain": f"{count}  {clock}  {values}".rstrip(),
            "text/html": (
                '<div style="font-family: monospace; white-space: pre-wrap">'
                f'{count} <progress value="{done}" max="{max(self._epochs, 1)}"></progress> '
                f"{clock}  {html.escape(values)}</div>"
            ),
        }
