"""Cycles: a network of the bag is trained in cycles that grow, and is scored after each.

Within a cycle the learning rate falls along a cosine to 0, and the next one begins anew with twice
the epochs: the warm restarts of Loshchilov and Hutter (ICLR 2017, arXiv:1608.03983). Scored are
networks at the ends of cycles alone, where the rate has come to rest. A table that holds much noise
is done after a short cycle, one that holds little goes through them all.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.history import History
from fastnn.schedules import Schedule
from fastnn.training.best_weights import BestWeights

__all__ = ["BestCycle", "Restarts", "ends_of"]


def ends_of(first: int, cycles: int) -> list[int]:
    """Return the epochs after which cycles end, the first of which has so many."""
    return [first * (2**k - 1) for k in range(1, cycles + 1)]


@dataclass(frozen=True)
class Restarts(Schedule):
    """½ (1 + cos(π t)), t the share of a cycle that is over; each has twice the epochs of the last.

    Parameters
    ----------
    first : int
        Epochs of the first cycle.
    """

    first: int = 1

    def factor(self, time: float) -> float:
        """Return the factor at that time."""
        cycle = math.floor(math.log2(1 + time / self.first))
        length = self.first * 2**cycle
        return (1 + math.cos(math.pi * (time - length + self.first) / length)) / 2


class BestCycle:
    """A callback that ends a fit after a cycle that made the network no better, and keeps the best.

    Parameters
    ----------
    ends : list of int
        Epochs after which cycles end.
    score : callable
        Takes the network, returns a cost.

    Attributes
    ----------
    costs, epochs : list
        What `score` returned, the largest float for what is not finite, and after how many epochs:
        at the ends of cycles, and where the fit ended within one.
    """

    #: A run need not keep weights of epochs between the calls.
    keeps_weights = False

    def __init__(self, ends: list[int], score: Callable[[Any], float]) -> None:
        self.ends, self.score = ends, score
        self.costs: list[float] = []
        self.epochs: list[int] = []
        self._weights = BestWeights()
        self._passed = 0  # epochs at the last call
        self._deferred = False

    def defer(self, network: Any, history: History) -> None:
        """Agree to be called after several epochs at once."""
        self._deferred = True

    def free_epochs(self) -> int:
        """Return how many epochs may pass before the next call: those of a cycle."""
        if not self._deferred:
            return 1
        return next((end - self._passed for end in self.ends if end > self._passed), sys.maxsize)

    def __call__(self, network: Any, history: History) -> bool:
        """Score a cycle that has ended; return True if it was no better than the one before."""
        self._passed = history.epochs
        return self._passed in self.ends and not self._improves(network)

    def _improves(self, network: Any) -> bool:
        """Score the network as it is, and keep it if it is the best."""
        cost, before = float(self.score(network)), min(self.costs, default=math.inf)
        self.costs.append(cost if math.isfinite(cost) else sys.float_info.max)
        self.epochs.append(self._passed)
        better = self.costs[-1] < before
        if better:
            self._weights.keep(network)
        return better

    def finish(self, network: Any) -> None:
        """Bring the best weights back; `fit` calls this when it ends, whatever ended it."""
        if self._passed and self._passed not in self.epochs:
            self._improves(network)
        self._weights.restore(network)

    @property
    def best_epoch(self) -> int:
        """Epochs after which the network was the best."""
        return self.epochs[int(np.argmin(self.costs))]
