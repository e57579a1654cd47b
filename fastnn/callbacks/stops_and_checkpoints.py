"""Callbacks that stop a fit, or save it."""

from __future__ import annotations

import os
import time

from .._habits import answers
from .._validation import arguments
from ..history import History
from ..network import Network
from ..network.description import state_of
from ..training.early_stopping import EarlyStopping

__all__ = ["Checkpoint", "EarlyStopping", "TimeLimit"]


class Checkpoint:
    """Saves the network and all that its training needs to go on, every so many epochs.

    ``fastnn.load(path).fit(…)`` with the same data and settings then goes on bit for bit as if
    it had never stopped (L-BFGS alone begins its memory anew). A crash at any moment leaves the
    last checkpoint or the one before, whole.

    Parameters
    ----------
    path : str or path
        ``.safetensors`` or ``.h5``; the one file is replaced each time.
    every : int
        Epochs from one checkpoint to the next, counted over all fits of the network.

    Raises
    ------
    SettingError
        Before the first step, if the network, optimiser or schedule cannot be saved as data.
    OSError
        If the file cannot be written; an earlier one stays as it was, and the network is at the
        epoch just finished.
    """

    rank_0_only = True  # of several ranks one writes the file

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = os.fspath(path)
        self.every = arguments.count(every, "every", least=1)

    def start(self, network: Network) -> None:
        """Find out before the first step whether saving will do; `fit` calls this."""
        from ..saving import model_file  # only this callback needs it

        model_file.check_savable(state_of(network), self.path)

    def __call__(self, network: Network, history: History) -> None:
        """Write the file if it is time."""
        from ..saving import model_file  # only this callback needs it

        state = state_of(network)
        if state.training.epoch % self.every == 0:
            model_file.checkpoint(state, self.path)


class TimeLimit:
    """Stops the fit at the end of the epoch in which some seconds are over.

    Parameters
    ----------
    seconds : float
        Positive; counted from the first call of the fit's first epoch on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = arguments.real(seconds, "seconds", above=0)
        self._began = time.monotonic()

    def start(self, network: Network) -> None:
        """Begin to count; `fit` calls this before its first step."""
        self._began = time.monotonic()

    def __call__(self, network: Network, history: History) -> bool:
        """Return True once the time is over."""
        return time.monotonic() - self._began >= self.seconds


for _kind in (Checkpoint, EarlyStopping, TimeLimit):
    answers.explain(_kind, "callback")
