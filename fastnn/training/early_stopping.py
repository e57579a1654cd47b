"""Early stopping: a fit ends where a quantity stops getting better, with its best weights."""

from __future__ import annotations

import math
from typing import Any

from fastnn._validation import arguments
from fastnn.history import History, check_monitor, higher_is_better
from fastnn.kernels.records import BestEpoch

from .best_weights import BestWeights

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
        self._deferred: History | None = None  # of a fit that calls after several epochs at once
        self._seen = 0
        self._weights = BestWeights()

    @property
    def keeps_weights(self) -> bool:
        """Whether weights of earlier epochs are wanted."""
        return self.restore_best

    def defer(self, network: Any, history: History) -> BestEpoch | None:
        """Agree to be called after several epochs at once, if a run can keep what is wanted.

        Return what it is to keep. `fit` calls this before its first step, after `start`, with the
        history that it will call with.
        """
        best = self._weights.leave_to_run(network, self.monitor) if self.restore_best else None
        self._deferred = history if best is not None or not self.restore_best else None
        return best

    def free_epochs(self) -> int:
        """Return how many epochs may pass before the next call."""
        left = self.patience - (self._seen - 1 - self.best_epoch)
        return max(1, left) if self._deferred is not None else 1

    def __call__(self, network: Any, history: History) -> bool:
        """Note the epochs since the last call; return True once patience is over."""
        self.monitor = check_monitor("EarlyStopping", self.monitor, history)
        epochs, deferred = history.epochs, history is self._deferred
        if epochs == 1 and not deferred:  # within a callback that does not pass `start` on
            self._forget()
        first = self._seen if deferred else epochs - 1
        sign = -1 if higher_is_better(self.monitor) else 1
        for epoch, value in enumerate((sign * history[self.monitor][first:]).tolist(), first):
            if value < self.best:
                self.best, self.best_epoch = value, epoch
                if self.restore_best:
                    self._weights.keep(network)
        self._seen = epochs
        stop = epochs - 1 - self.best_epoch >= self.patience
        if stop:
            self.finish(network)
        return stop

    def finish(self, network: Any) -> None:
        """Bring the best weights back; `fit` calls this when it ends without an error."""
        if self.restore_best:
            self._weights.restore(network)
