"""Training with validation rows that are read: they are scored between two chunks."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from fastnn._runtime.threads import get_num_threads
from fastnn.kernels.backend import Backend
from fastnn.kernels.records import Examples
from fastnn.training.fit_config import FitConfig
from fastnn.training.loop import Trainer
from fastnn.training.state import NetworkState

from .examples import StreamedExamples
from .scan import score_by, scores_of, windows_of


class ScoringTrainer(Trainer):
    """One fit whose validation examples may be read in windows; a chunk ends with its epoch."""

    defers_callbacks = False

    def __init__(
        self, state: NetworkState, kernels: Backend, config: FitConfig, train: Examples,
        validation: Examples | StreamedExamples | None,
    ) -> None:  # fmt: skip
        self.streamed = validation if isinstance(validation, StreamedExamples) else None
        self._scored = 0  # epochs
        in_memory = None if isinstance(validation, StreamedExamples) else validation
        super().__init__(state, kernels, config, train, in_memory)
        if self.streamed is not None:
            self.scores = np.zeros((config.epochs, 2))

    def _boundary(self, step: int) -> int:
        """Return the first step of the next epoch."""
        return (step // self.steps + 1) * self.steps

    def _score(self, done: int) -> None:
        """Score the validation examples that are read, where an epoch ends before step `done`."""
        epochs = done // self.steps
        if self.streamed is None or done % self.steps or epochs == self._scored:
            return  # a chunk that diverges in its first step ends where the one before did
        score = score_by(self.kernels, self.program, get_num_threads)
        found = scores_of(self.streamed, score)
        self.scores[epochs - 1], self._scored = found, epochs

    def _validation_layer(self) -> str | None:
        """Return the first layer with an output that is not finite for a validation example."""
        if self.streamed is None:
            return super()._validation_layer()
        with closing(windows_of(self.streamed)) as windows:
            layers = (self._first_nonfinite_output(window.X) for window in windows)
            return next((layer for layer in layers if layer is not None), None)
