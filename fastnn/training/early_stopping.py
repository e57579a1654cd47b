"""Early stopping: a fit ends where a quantity stops getting better, with its best weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.history import History, check_monitor, higher_is_better

__all__ = ["EarlyStopping"]


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

    def start(self, network: Any) -> None:
        """Forget an earlier fit; `fit` calls this before its first step.

        A fit that ends before its first epoch must find no weights to bring back.
        """
        self._forget()

    def _forget(self) -> None:
        """Hold no best epoch and no weights."""
        self.best, self.best_epoch = math.inf, -1
        self._kept: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None

    def __call__(self, network: Any, history: History) -> bool:
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

    def finish(self, network: Any) -> None:
        """Bring the best weights back; `fit` calls this when it ends without an error."""
        if self.restore_best and self._kept is not None:
            network.program.theta[...], network.program.state[...] = self._kept
