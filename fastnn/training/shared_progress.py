"""The progress of several fits: one bar over the epochs of all of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from fastnn.history import History

from .progress import ProgressReporter


class SharedProgress(ProgressReporter):
    """Shows how many epochs of several fits are over, and how many of the fits.

    Parameters
    ----------
    epochs : sequence of int
        How many epochs each fit will take.
    mode : "auto" or bool
        As `Network.fit` takes it.
    """

    def __init__(self, epochs: Sequence[int], mode: str | bool) -> None:
        super().__init__(sum(epochs), mode)
        self._fits, self._ended = len(epochs), 0
        self._sum = History()  # an epoch for each epoch of any fit
        self._lock = threading.Lock()

    def advance(self, epochs: int, *, ended: bool = False) -> None:
        """Note that many further epochs of a fit, or its end, from any thread."""
        with self._lock:
            self._ended += ended
            if self.mode is not False:
                self._sum.extend({"cost": [0.0] * epochs})
                self.update(self._sum)

    def _texts(self, history: History, epoch: int, *, measured_then: bool = False) -> list[str]:
        """Return what stands beside the number of epochs."""
        return [f"networks {self._ended}/{self._fits}"]


class ProgressShare(ProgressReporter):
    """What one of the fits, of so many epochs, reports to."""

    def __init__(self, whole: SharedProgress, epochs: int) -> None:
        super().__init__(epochs, False)
        self.whole, self._ended = whole, False

    def update(self, history: History) -> None:
        """Tell the whole of the epochs since the last call."""
        new, self._done = history.epochs - self._done, history.epochs
        self._tell(new, self._done >= self.epochs)

    def end(self) -> None:
        """Tell the whole that the fit is over."""
        self._tell(0, True)

    def _tell(self, epochs: int, over: bool) -> None:
        """Tell the whole, of the end once."""
        self.whole.advance(epochs, ended=over and not self._ended)
        self._ended = self._ended or over
