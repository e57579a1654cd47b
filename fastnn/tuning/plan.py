"""The plan of a search: what each trial is drawn from and held against, by numbers alone.

So the trials are the same whoever runs them, and in whatever order they end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastnn.history import higher_is_better

from .pruning import N_STARTUP_TRIALS, bars
from .trial import Draw, Objective, draw

#: Trials that came to an end, as the study holds them, by number.
Ended = Mapping[int, Any]


@dataclass(frozen=True)
class Plan:
    """Trials 0 to `total` − 1: first the coarse ones, of the whole space, then the refined ones."""

    objective: Objective
    total: int
    refine: bool

    @property
    def n_coarse(self) -> int:
        """The number of trials that are drawn from the whole space."""
        return self.total - self.total // 2 if self.refine else self.total

    def is_ready(self, number: int, ended: Ended) -> bool:
        """Return whether all that a trial depends on has ended."""
        return all(k in ended for k in range(self._n_before(number)))

    def _n_before(self, number: int) -> int:
        """Return how many of the first trials a trial depends on."""
        if number >= self.n_coarse:
            return self.n_coarse
        compared = number // 2
        return compared if self.objective.prune and compared >= N_STARTUP_TRIALS else 0

    def draw(self, number: int, ended: Ended) -> Draw:
        """Return the parameters of a trial that is ready."""
        boxes = {name: part.box for name, part in self.objective.space.items()}
        best = self._best_quarter(ended) if number >= self.n_coarse else []
        if best:
            boxes = {
                name: box.around([t.params[name] for t in best]) for name, box in boxes.items()
            }
        return draw(self.objective.seed, number, boxes)

    def bars(self, number: int, ended: Ended) -> dict[int, float]:
        """Return what a trial that is ready must reach at each step; nothing without pruning."""
        if not self.objective.prune:
            return {}
        before = [ended[k] for k in range(self._n_before(number))]
        curves = [t.intermediate_values for t in before if _state(t) == "finished"]
        return bars(curves, self.objective.epochs)

    def _best_quarter(self, ended: Ended) -> list[Any]:
        """Return the best of the coarse trials, as many as a quarter of them."""
        sign = -1 if higher_is_better(self.objective.monitor) else 1
        good = [ended[k] for k in range(self.n_coarse) if _state(ended[k]) == "finished"]
        good.sort(key=lambda t: (sign * t.user_attrs["end"]["score"], t.user_attrs["index"]))
        return good[: math.ceil(self.n_coarse / 4)]


def _state(trial: Any) -> str:
    """Return how a trial of the study ended."""
    return str(trial.user_attrs["end"]["state"])
