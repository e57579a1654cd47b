"""Short fits of several networks: prepared first, then run, then noted, all of them each time.

While compiled steps run, Python's code leaves the caches of the core, and what follows the run
takes twice as long. Between the runs of short fits there is only the call of the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .interrupts import Interrupts
from .loop import Trainer
from .state import NetworkState


class ShortTrainer(Trainer):
    """One fit whose steps are a single run, which `run_all` takes before `fit` notes its epochs."""

    done: int  # the step that the run has come to
    is_last = False  # whether it is the last fit that was run: Ctrl-C interrupts this one

    def __init__(self, state: NetworkState, *given: Any) -> None:
        self._before = dict(vars(state.training))
        super().__init__(state, *given)

    def give_up(self) -> None:
        """Leave the network as it was before this fit, whose run was not taken."""
        vars(self.training).update(self._before)

    def whole_run(self) -> tuple[Any, ...]:
        """Return the arguments of the backend's `run` for all steps."""
        total = self.config.epochs * self.steps
        self._rates, self._log = self._learning_rates().of(0, total), np.zeros((total, 4))
        return self._arguments(self._steps(0, total), 0, total, self._log)

    def _first_size(self) -> int:
        """Return the number of all steps."""
        return len(self._log)

    def _run(self, start: int, stop: int, record: Any) -> int:
        """Write down what the run has told, and return the step that it has come to."""
        record[...] = self._log
        return self.done

    def _is_interrupted(self) -> bool:
        """Return whether Ctrl-C came before the last fit was noted."""
        return self.is_last and self._held.seen


def run_all(trainers: Sequence[ShortTrainer], interrupts: Interrupts) -> Iterator[ShortTrainer]:
    """Run fits of one backend, as far as no Ctrl-C comes; yield each once it was run."""
    taken = 0
    try:
        runs = trainers[0].kernels.run_all([trainer.whole_run() for trainer in trainers])
        for taken, trainer in enumerate(trainers, 1):
            trainer.done = next(runs)
            trainer.is_last = interrupts.seen or taken == len(trainers)
            yield trainer
            if trainer.is_last:
                return
    finally:
        for trainer in trainers[taken:]:
            trainer.give_up()
