"""Callbacks that stop a fit, or save it."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import numpy as np

from .._habits import answers
from .._validation import arguments
from ..history import History, check_monitor, higher_is_better
from ..network import Network
from ..network.description import state_of

__all__ = ["Checkpoint", "EarlyStopping", "TimeLimit"]


class EarlyStopping:
    """Stops when a quantity has not improved for some epochs, and brings the best weights back.

    Parameters
    ----------
    monitor : str
        A name of the history; accuracy, precision, recall, f1, roc_auc and r2 should rise, of
        training or validation data, all others should sink.
    patience : int
        Epochs without a new best before the fit stops.
    restore_best : bool
        Whether the parameters (and BatchNorm's averages) of the best epoch come back.

    Attributes
    ----------
    best_epoch : int
        Epoch of the best value, counted from 0 within the fit; −1 before the first.

    Raises
    ------
    SettingError
        If patience is no positive whole number; before the first step, if nobody records what is
        monitored, or after the first epoch where callbacks of your own might have done so.
    """

    def __init__(
        self, monitor: str = "validation_cost", patience: int = 10, restore_best: bool = True
    ) -> None:
        self.monitor, self.restore_best = monitor, restore_best
        self.patience = arguments.count(patience, "patience", least=1)
        self._forget()

    def start(self, network: Network) -> None:
        """Forget an earlier fit; `fit` calls this before its first step.

        A fit that ends before its first epoch must find no weights to bring back.
        """
        self._forget()

    def _forget(self) -> None:
        """Hold no best epoch and no weights."""
        self.best, self.best_epoch = math.inf, -1
        self._kept: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None

    def __call__(self, network: Network, history: History) -> bool:
        """Note the epoch; return True once patience is over."""
        self.monitor = check_monitor("EarlyStopping", self.monitor, history)
        epoch = history.epochs - 1
        if epoch == 0:  # within a callback that does not pass `start` on
            self._forget()
        value = float(history[self.monitor][-1])
        value = -value if higher_is_better(self.monitor) else value
        program = network.program
        if value < self.best:
            self.best, self.best_epoch = value, epoch
            self._kept = program.theta.copy(), program.state.copy()
        stop = epoch - self.best_epoch >= self.patience
        if stop:
            self.finish(network)
        return stop

    def finish(self, network: Network) -> None:
        """Bring the best weights back; `fit` calls this when it ends without an error."""
        if self.restore_best and self._kept is not None:
            network.program.theta[...], network.program.state[...] = self._kept


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
