"""scikit-learn: `MLPClassifier` with its own stochastic solvers, in float32."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from fastnn import Adam

from .by_numpy import NumPyUncorrected
from .contender import Contender
from .data import Array
from .rows import Row, Task


class ScikitLearn(Contender):
    """A warm start after one epoch is how weights of one's own get in; the optimiser is new."""

    name = "scikit-learn"
    twin = NumPyUncorrected

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.X, row = task.scaled, task.row
        adam = isinstance(row.optimizer, Adam)
        self.model = MLPClassifier(
            row.sizes[1:-1], activation=row.hidden, solver="adam" if adam else "sgd",
            alpha=row.l2, batch_size=row.batch_size, shuffle=False, tol=0.0, momentum=0.0,
            learning_rate_init=row.optimizer.learning_rate, n_iter_no_change=10**9,
            max_iter=1, warm_start=True, random_state=0,
        )  # fmt: skip
        self._train(self.X, task.y) if not row.predicts else self._know_classes()
        self._reset()

    @classmethod
    def can(cls, row: Row) -> bool:
        return not row.dropout

    def _know_classes(self) -> None:
        """Train on an example of each class: a network that only predicts has no data."""
        K = max(2, self.row.sizes[-1])
        self.model.set_params(batch_size="auto")
        self._train(np.zeros((K, self.row.sizes[0]), np.float32), np.arange(K))

    def _train(self, X: Array, y: Array) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(X, y)

    def _reset(self) -> None:
        """Put the first weights in, and forget the optimiser's slots and the costs."""
        model = self.model
        model.coefs_, model.intercepts_ = map(list, zip(*self.task.layers(), strict=True))
        model.__dict__.pop("_optimizer", None)
        model.loss_curve_, model.n_iter_, model.t_ = [], 0, 0

    def prepare(self, epochs: int) -> None:
        self._reset()
        self.model.set_params(max_iter=epochs)

    def fit(self, epochs: int) -> Array:
        self._train(self.X, self.task.y)
        return np.array(self.model.loss_curve_[-epochs:])

    def predict(self) -> Array:
        labels: Array = self.model.predict(self.X)
        return labels
