"""Candidates: networks that are trained for a bag, and on which rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.history import History
from fastnn.layers import Dense, Dropout, Layer, Normalization
from fastnn.network import Network

from .cycles import BestCycle
from .folds import rows_of_fold
from .members import Member
from .rule import Rule

__all__ = ["PLAIN", "Candidate", "Draft", "HeldRows"]

Array = NDArray[Any]
Rows = NDArray[np.int64]
#: Of a plain network: what `MLPClassifier` has by default.
PLAIN: dict[str, Any] = {"units": 100, "l2": 1e-4, "epochs": 200, "batch": 200, "tol": 1e-4}
#: The highest seed of a network, and one more.
SEEDS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows that score networks: as these are given them (k, n), their targets and weights (k,).

    Attributes
    ----------
    loss : callable
        Takes a network, such rows, their targets and weights, returns the losses (k,).
    """

    X: Array
    y: Array
    w: Array
    loss: Callable[[Network, Array, Array, Array], Array]

    def losses(self, network: Network) -> Array:
        """Return the loss (k,) of each row."""
        return self.loss(network, self.X, self.y, self.w)

    def cost(self, network: Network) -> float:
        """Return the weighted mean of the losses."""
        return float(np.average(self.losses(network), weights=self.w))


@dataclass
class Candidate:
    """A network that is to be trained: its kind, and its rows (k,) as `rows_of_fold` gives them.

    Attributes
    ----------
    scored_on : HeldRows or None
        The rows `held`, as the network is given them; set where it is trained.
    best : BestCycle or None
        What they said of it after each cycle.
    """

    kind: str
    network: Network
    train: Rows
    held: Rows | None
    history: History = field(default_factory=History)
    scored_on: HeldRows | None = None
    best: BestCycle | None = None

    @property
    def coded(self) -> bool:
        """Whether it is given codes."""
        return self.kind == "coded"

    @property
    def member(self) -> Member:
        """What the bag keeps of it."""
        epochs, trained = self.history.epochs, len(self.train)
        if self.held is None or self.best is None:
            curve = self.history["cost"].tolist()
            return Member(self.kind, self.network, trained, 0, epochs, epochs, tuple(curve))
        best, scored = self.best.best_epoch, len(self.held)
        curve = self.best.costs
        return Member(self.kind, self.network, trained, scored, epochs, best, tuple(curve))


class Draft:
    """The networks that a bag may have.

    Parameters
    ----------
    rule : Rule
    fold : array (m,)
        Of each row, as `deal_rows` gives it.
    coded : bool
        Whether there are codes, so that there are two kinds of networks.
    outputs : list of Layer
        The last layers.
    rng : RandomState
        Of the networks' seeds.
    """

    def __init__(
        self, rule: Rule, fold: Rows, coded: bool, outputs: Sequence[Layer],
        rng: np.random.RandomState,
    ) -> None:  # fmt: skip
        self.rule, self._fold, self._outputs = rule, fold, list(outputs)
        self._kinds = ("coded", "linear") if coded else ("linear",)
        self.trials = min(rule.trials, rule.networks // 2) if coded else 0
        n = rule.networks
        seeds = rng.randint(SEEDS, size=2 * n + rule.plain).tolist()
        self._seeds = {"coded": seeds[:n], "linear": seeds[n : 2 * n], "plain": seeds[2 * n :]}

    def first(self) -> list[Candidate]:
        """Return the networks that try both kinds; without a trial the whole bag."""
        if self.trials:
            places = range(self.trials)
            return [self._network(kind, place) for place in places for kind in self._kinds]
        made = [self._network(self._kinds[0], place) for place in range(self.rule.networks)]
        return made + self._plain()

    def rest(self, kind: str | None) -> list[Candidate]:
        """Return the rest: of the better kind or, if none is, of both; and the plain ones."""
        if not self.trials:
            return []
        kinds = self._kinds if kind is None else (kind,)
        left = range(self.rule.networks - len(kinds) * self.trials)
        made = [self._network(kinds[k % len(kinds)], self.trials + k) for k in left]
        return made + self._plain()

    def _network(self, kind: str, place: int) -> Candidate:
        """Return a network that is scored on the fold of a place."""
        rule = self.rule
        hidden: list[Layer] = [Dense(rule.units, "mish")]
        if rule.dropout:
            hidden.append(Dropout(rule.dropout))
        network = Network([*hidden * 3, *self._outputs], seed=self._seeds[kind][place])
        return Candidate(kind, network, *rows_of_fold(self._fold, place))

    def _plain(self) -> list[Candidate]:
        """Return networks like that of `MLPClassifier`, which all rows train."""
        layers = [Normalization(), Dense(PLAIN["units"], "relu"), *self._outputs]
        return [
            Candidate("plain", Network(layers, seed=seed), np.arange(len(self._fold)), None)
            for seed in self._seeds["plain"]
        ]
