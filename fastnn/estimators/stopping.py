"""Stopping: scikit-learn's rules for the end of a fit and for its learning rates."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastnn.network import Network

from ..history import History
from ..kernels.records import BestEpoch
from ..schedules import Plateau, Schedule
from ..training.best_weights import BestWeights

#: What a patience goes on with: its best value, the epochs since, the factor of the rate.
Waiting = tuple[float, int, float]
#: The learning rate below which "adaptive" stops, as in scikit-learn.
MIN_RATE = 1e-6


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """1 / (1 + examples seen)^power, once an epoch: scikit-learn's "invscaling".

    `seen` counts the examples of earlier calls, `examples` those of an epoch of this one.
    """

    examples: int
    power: float
    seen: int = 0

    def factor(self, time: float) -> float:
        """Return 1 / (1 + seen + examples · time)^power."""
        return float((1 + self.seen + self.examples * time) ** -self.power)


class Adaptive(Plateau):
    """A fifth of the rate whenever the estimator's patience was over: "adaptive"."""

    def __init__(self, patience: Patience) -> None:
        super().__init__("cost", 0.2)
        object.__setattr__(self, "progress", patience)

    def follow(self, curve: Any) -> float:
        """Return the factor after the epochs so far."""
        return float(self.progress.factor)  # type: ignore[attr-defined]


class Patience:
    """A callback that stops once loss or score has not improved by `tol` for some epochs.

    `score`, if given, is taken after each epoch and should rise; `monitor`, a name of the history,
    is watched in its place. With one of them the best weights come back, of a fit that goes on by
    `score` those it began with too.
    """

    def __init__(
        self, tol: float, patience: int, rate: float | None,
        score: Callable[[], float] | None, monitor: str | None = None, goes_on: bool = False,
    ) -> None:  # fmt: skip
        self.tol, self.patience, self.rate, self.monitor = tol, patience, rate, monitor
        self.score, self.sign = score, 1.0 if "cost" in str(monitor) else -1.0
        self.goes_on = goes_on and score is not None and monitor is None
        self.factor, self.waited, self.stopped = 1.0, 0, False
        self.best, self.scores = math.inf, list[float]()
        self._deferred: History | None = None  # of a fit that calls after several epochs at once
        self._seen = 0
        self._weights = BestWeights()

    def __getstate__(self) -> dict[str, Any]:
        # A network's memory keeps its last schedule, which may hold this: no data go with it.
        return vars(self) | {"score": None, "_deferred": None, "_weights": BestWeights()}

    def start(self, network: Network) -> None:
        """Score the weights of a fit that goes on; `fit` calls this before its first step."""
        if self.goes_on and self.score is not None:
            self._improve(self.sign * self.score(), network)

    @property
    def keeps_weights(self) -> bool:
        """Whether weights of earlier epochs are wanted."""
        return self.monitor is not None or self.score is not None

    def defer(self, network: Network, history: History) -> BestEpoch | None:
        """Agree to be called after several epochs at once, if a run can keep what is wanted.

        Return what it is to keep. `fit` calls this before its first step, after `start`, with the
        history that it will call with.
        """
        best = self._weights.leave_to_run(network, self.monitor)
        self._deferred = history if best is not None or not self.keeps_weights else None
        return best

    def free_epochs(self) -> int:
        """Return how many epochs may pass before the next call."""
        left = min(self.patience + 1 - self.waited, sys.maxsize)
        return max(1, left) if self._deferred is not None else 1

    def __call__(self, network: Network, history: History) -> bool:
        """Record the epochs since the last call; return True once none improved for too long."""
        first = self._seen if history is self._deferred else history.epochs - 1
        self._seen = history.epochs
        for epoch in range(first, history.epochs):
            value = self._value(history, epoch)
            # NaN is no improvement.
            self.waited = 0 if value <= self.best - self.tol else self.waited + 1
            self._improve(value, network)
        if self.waited <= self.patience:
            return False
        if self.rate is not None and self.rate * self.factor > MIN_RATE:
            self.factor, self.waited = self.factor / 5, 0
            return False
        self.stopped = True
        return True

    def _improve(self, value: float, network: Network) -> None:
        """Keep a value, and a copy of the weights that reached it, if it is the best so far."""
        if value < self.best:
            self.best = value
            if self.scores or self.goes_on:
                self._weights.keep(network)

    def _value(self, history: History, epoch: int) -> float:
        """Return the number of an epoch that should fall: the loss, or minus a score."""
        if self.monitor is not None:
            self.scores.append(float(history[self.monitor][epoch]))
        elif self.score is not None:
            self.scores.append(self.score())
        else:
            return float(history["cost"][epoch])
        return self.sign * self.scores[-1]

    @property
    def best_score(self) -> float | None:
        """The best of the scores, None without scores."""
        return self.sign * self.best if self.scores else None

    @property
    def waiting(self) -> Waiting | None:
        """What the next call goes on with; None with scores."""
        return None if self.scores else (self.best, self.waited, self.factor)

    def finish(self, network: Network) -> None:
        """Bring the best weights back; `fit` calls this when it ends, whatever ended it."""
        self._weights.restore(network)
