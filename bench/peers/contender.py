"""Contender: what every library must be able to do to be timed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .data import Array
from .rows import Row, Task

if TYPE_CHECKING:
    from fastnn import Network


#: What a name ends in or holds where its products are not those of float32.
REDUCED = ("bfloat16", "int8")


def precision_of(name: str) -> str:
    """Return the precision of a contender's products, which its name tells."""
    return next((precision for precision in REDUCED if precision in name), "float32")


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


class Predictor(Contender):
    """A library that runs networks which fastnn has exported, and trains none."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.X = task.scaled

    @classmethod
    def can(cls, row: Row) -> bool:
        return row.predicts

    def network(self) -> Network:
        """Return fastnn's network of scaled rows, with the task's weights."""
        return network_of(replace(self.row, rescale=None), self.task)

    @abstractmethod
    def outputs(self) -> Array:
        """Return probabilities (m, K) of all rows."""

    def predict(self) -> Array:
        labels: Array = self.outputs().argmax(axis=1)
        return labels

    def prepare(self, epochs: int) -> None:
        raise NotImplementedError

    def fit(self, epochs: int) -> Array:
        raise NotImplementedError


def network_of(row: Row, task: Task) -> Network:
    """Return a row's network with a task's weights, of a seed that does not draw them.

    `quantize` refuses a network whose weights are those that its seed draws.
    """
    network = replace(row, seed=row.seed + 1).network()
    network.set_parameters(task.weights)
    return network
