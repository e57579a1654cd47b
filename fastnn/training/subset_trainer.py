"""Training on a subset of the rows of an array, which are read where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.kernels.backend import Backend
from fastnn.kernels.records import Batch, Examples

from .fit_config import FitConfig, Steps
from .loop import Trainer
from .state import NetworkState
from .subset import Subset

__all__ = ["SubsetTrainer"]

Array = np.ndarray[Any, Any]


class SubsetTrainer(Trainer):
    """One fit to many rows of a larger array, in shuffled batches; a chunk ends with its epoch.

    It gives the bits of a fit to a copy of these rows: batches, masks and noise go by their places
    in the subset.

    Parameters
    ----------
    train : Examples
        X is a Subset; Y (k, K) and w (k,) are those of its rows.
    """

    def __init__(
        self, state: NetworkState, kernels: Backend, config: FitConfig, train: Examples,
        validation: Examples | None,
    ) -> None:  # fmt: skip
        subset: Subset = train.X
        k, rows = len(subset), subset.rows
        super().__init__(state, kernels, config, train._replace(X=subset.X[:k]), validation)
        m, (_, Y, w) = len(subset.X), train
        self.train = Examples(subset.X, np.zeros((m, Y.shape[1]), Y.dtype), np.zeros(m, w.dtype))
        self.train.Y[rows], self.train.w[rows] = Y, w  # rows that are named twice are alike
        self.rows, self.numbers = rows, np.arange(k)
        self.settings["shuffle"] = 0  # for it is done here

    def _boundary(self, step: int) -> int:
        """Return the first step of the next epoch; put the rows in the order of this one."""
        epoch, k = divmod(step, self.steps)
        if k == 0:
            self.kernels.shuffle(
                self.numbers, int(self.settings["seed"]), int(self.settings["first_epoch"]) + epoch
            )
            self.order = self.rows[self.numbers]
        return (epoch + 1) * self.steps

    def _batch_at(self, step: int) -> Batch:
        """Return the examples of a step of the last epoch."""
        own = slice(step % self.steps * self.batch, (step % self.steps + 1) * self.batch)
        return Batch(*self.train, self.order[own], self.numbers[own])

    def _steps(self, start: int, stop: int) -> Steps:
        """Return what the steps start … stop − 1, all of one epoch, are taken over."""
        settings, epoch = self.settings.copy(), start // self.steps
        settings["first_epoch"] += epoch
        train = Batch(*self.train, self.order, self.numbers)
        scores = self.scores[epoch : epoch + 1]
        return Steps(train, self.validation, settings, scores, epoch * self.steps)
