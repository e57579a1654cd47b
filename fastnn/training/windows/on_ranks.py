"""Training in windows on ranks: each reads the rows of its own shards."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.kernels.partition import static_partition
from fastnn.kernels.records import Batch
from fastnn.training.loop import Trainer
from fastnn.training.sharded import ShardedTrainer

from .examples import StreamedExamples
from .plan import WindowPlan
from .scan import score_by, sums_of
from .scoring_trainer import ScoringTrainer
from .team_size import TeamSize
from .trainer import WindowTrainer


class ShardedScoringTrainer(ShardedTrainer, ScoringTrainer):
    """One fit with shards whose validation examples may be read in windows."""

    def _n_scored(self) -> int:
        """Return the number of validation examples."""
        return super()._n_scored() if self.streamed is None else self.streamed.shape[0]

    def _score_rows(self, rows: slice) -> tuple[float, float, float]:
        """Return Σ w ℓ, Σ w of the right ones, and Σ w of some validation examples."""
        if self.streamed is None:
            return super()._score_rows(rows)
        score = score_by(self.kernels, self.program, lambda: self.threads)
        return sums_of(self.streamed, score, rows)


class ShardedWindowTrainer(ShardedScoringTrainer, WindowTrainer):
    """One fit with shards over windows, of which a rank reads some rows."""

    def __init__(self, ranks: Any, shards: int, state: Any, kernels: Any, config: Any,
                 train: StreamedExamples, validation: Any) -> None:  # fmt: skip
        self._rows = train
        super().__init__(ranks, shards, state, kernels, config, train, validation)
        self._team = TeamSize(self.threads)  # this rank's share of the host's
        if ranks.rank:  # rank 0 alone warns
            self._mix = None

    def _plan(self, plan: WindowPlan) -> WindowPlan:
        """Return the plan of windows of which this rank reads the rows of its shards."""
        own = static_partition(self.n_shards, self.ranks.rank, self.ranks.size)
        return plan._replace(shards=self.n_shards, own=own)

    def _prepare(self) -> None:
        """Read the first window, and compile what is missing."""
        if self.config.epochs:
            self._boundary(0)
        super()._prepare()

    def _batch_at(self, step: int) -> Batch:
        """Return the examples of a step of the window, those of other ranks' shards too."""
        numbers = super()._batch_at(step).numbers
        examples = self._rows.take([(number, number + 1) for number in numbers.tolist()])
        return Batch(*examples, np.arange(len(numbers)), numbers)


#: What fits on ranks, by the class that fits alone.
TRAINERS: dict[type[Trainer], type[ShardedTrainer]] = {
    WindowTrainer: ShardedWindowTrainer, ScoringTrainer: ShardedScoringTrainer
}  # fmt: skip
