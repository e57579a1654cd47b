"""Training in windows: rows are read as the fit goes over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.history import History
from fastnn.kernels.backend import Backend
from fastnn.kernels.records import Batch, Examples
from fastnn.training.callback_list import CallbackList
from fastnn.training.fit_config import FitConfig, Steps
from fastnn.training.progress import ProgressReporter
from fastnn.training.state import NetworkState

from .class_mix import ClassMix
from .examples import StreamedExamples
from .plan import WindowPlan
from .reader import Reader, Window
from .scoring_trainer import ScoringTrainer
from .team_size import TeamSize

Array = np.ndarray[Any, Any]


class WindowTrainer(ScoringTrainer):
    """One fit over windows: a chunk ends with its window, and is a run over the window's buffer.

    Parameters
    ----------
    train : StreamedExamples
        With targets and a plan.
    validation : Examples, StreamedExamples or None
    """

    _window: Window

    def __init__(
        self, state: NetworkState, kernels: Backend, config: FitConfig, train: StreamedExamples,
        validation: Examples | StreamedExamples | None,
    ) -> None:  # fmt: skip
        plan, targets = train.plan, train.targets
        assert plan is not None
        assert targets is not None
        epochs = range(state.training.epoch, state.training.epoch + config.epochs)
        self.reader = Reader(train, self._plan(plan), epochs, kernels.shuffle)
        buffer, config = self.reader.buffers[0], config._replace(batch_size=plan.batch)
        memory = Examples(buffer.X, buffer.Y, buffer.w)
        super().__init__(state, kernels, config, memory, validation)
        self.steps, self.order = -(-train.shape[0] // plan.batch), self.order[:0]
        self.settings["shuffle"] = 0  # what the reader has done
        self._nothing = Examples(*(part[:0] for part in memory))
        self._mix = ClassMix(targets) if plan.shuffle else None
        self._begin = self._end = 0  # steps of the window
        self._team = TeamSize(self.threads)

    def _plan(self, plan: WindowPlan) -> WindowPlan:
        """Return the plan of the windows from that of a process that computes whole batches."""
        return plan

    def fit(self, callbacks: CallbackList, reporter: ProgressReporter) -> History:
        """Run all epochs; return early on Ctrl-C or when a callback says so."""
        if not self.config.epochs:
            return super().fit(callbacks, reporter)
        with self.reader as reader:
            self._windows = iter(reader)
            return super().fit(callbacks, reporter)

    def _boundary(self, step: int) -> int:
        """Return the first step beyond the window of a step, which is read by then."""
        while step >= self._end:
            self._window = next(self._windows)
            n_rows = len(self._window.order)
            self._begin, self._end = step, step + -(-n_rows // self.batch)
            self.settings["threads"] = self._team.of_next(n_rows, self._window.last)
            if self._mix is not None and step < self.steps:
                self._mix.look_at(self._window)
        return self._end

    def _batch(self) -> Batch:
        """Return the examples of the window, in their order."""
        window = self._window
        return Batch(window.X, window.Y, window.w, window.order, window.numbers)

    def _batch_at(self, step: int) -> Batch:
        """Return the examples of a step of the window."""
        first, batch = (step - self._begin) * self.batch, self._batch()
        own = slice(first, first + self.batch)
        return batch._replace(row_indices=batch.row_indices[own], numbers=batch.numbers[own])

    def _steps(self, start: int, stop: int) -> Steps:
        """Return what the steps start … stop − 1, all of one window, are taken over."""
        settings, epoch = self.settings.copy(), start // self.steps
        settings["first_epoch"] += epoch
        validation = self._nothing if stop % self.steps else self.validation
        scores = self.scores[epoch : epoch + 1]
        return Steps(self._batch(), validation, settings, scores, self._begin)
