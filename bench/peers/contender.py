"""Contender: what every library must be able to do to be timed."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .data import Array
from .rows import Row, Task


class Contender(ABC):
    """A library at a task. Converting data happens in `__init__` and is not timed."""

    name = ""
    #: Whose costs these must be, where the library's arithmetic is not fastnn's to the letter.
    twin: type[Contender] | None = None

    def __init__(self, task: Task) -> None:
        self.task, self.row = task, task.row

    @classmethod
    def can(cls, row: Row) -> bool:
        """Say whether the library offers what the row needs."""
        return True

    @abstractmethod
    def prepare(self, epochs: int) -> None:
        """Go back to the first weights, and compile for so many epochs; not timed."""

    @abstractmethod
    def fit(self, epochs: int) -> Array:
        """Train from the first weights and return the mean cost of each epoch; timed."""

    @abstractmethod
    def predict(self) -> Array:
        """Return the labels (m,) of all rows; timed."""

    def epoch_means(self, costs: Array) -> Array:
        """Return means by epoch of every step's cost, weighted by the size of its batch."""
        sizes = [batch.stop - batch.start for batch in self.row.batches]
        costs = np.asarray(costs, np.float64).reshape(-1, len(sizes))
        means: Array = np.average(costs, axis=1, weights=sizes)
        return means
