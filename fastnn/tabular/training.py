"""Training: the networks of a bag, a whole one on each thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.threads import get_num_threads
from fastnn.estimators.stopping import Patience
from fastnn.network import Network
from fastnn.network.many import checked_fits, train_together
from fastnn.network.member_fit import MemberFit
from fastnn.optimizers import Adam, AdamW

from .candidates import PLAIN, Candidate, Draft, HeldRows
from .codes import PiecewiseLinearCodes
from .cycles import BestCycle, Restarts
from .kinds import better_kind

__all__ = ["Training"]

Array = NDArray[Any]
#: Epochs without a lower cost after which a plain network is done.
PATIENCE = 10


@dataclass
class Training:
    """What trains the networks of a bag.

    Attributes
    ----------
    draft : Draft
    X : array (m, n)
        The rows without codes.
    codes : PiecewiseLinearCodes
    y, w : array (m,) or (m, k), and array (m,) or None
        Targets and weights of the rows.
    loss : callable
        As `HeldRows` has it.
    max_time : float or None
        Seconds.
    progress : bool
        Whether a line of progress is shown.
    """

    draft: Draft
    X: Array
    codes: PiecewiseLinearCodes
    y: Array
    w: Array | None
    loss: Callable[[Network, Array, Array, Array], Array]
    max_time: float | None
    progress: bool

    def run(self) -> list[Candidate]:
        """Train the networks of the bag, and return them.

        Both kinds are tried, and the better one has the rest of the bag. All networks are trained
        together, a whole one on each thread; with `max_time` as many as there are threads at once,
        each with its share of the seconds. Those for which no time is left, or that Ctrl-C came
        before, are left out of the bag, but never all of them.
        """
        self._rows = {False: self.X}  # by whether they have codes
        self._begun = time.monotonic()
        bag, networks = self.draft.first(), self.draft.rule.networks
        if self._train(bag, len(bag) / (len(bag) + networks)) and self.draft.trials:
            kind = better_kind(bag)
            bag = [each for each in bag if kind in (None, each.kind)]
            rest = self.draft.rest(kind)
            self._train(rest, 1.0)
            bag += rest
        trained = [each for each in bag if each.history.epochs]
        if not trained:
            raise KeyboardInterrupt
        return trained

    def _train(self, candidates: Sequence[Candidate], share: float) -> bool:
        """Train networks until a share of the time is over; return whether any time is left."""
        size = max(1, len(candidates)) if self.max_time is None else get_num_threads()
        groups = [candidates[k : k + size] for k in range(0, len(candidates), size)]
        for number, group in enumerate(groups):
            end = None
            if self.max_time is not None:
                now = time.monotonic()
                left = self._begun + share * self.max_time - now
                if left <= 0 and number:
                    return False
                end = now + left / (len(groups) - number)
            fits: list[MemberFit] = []
            # The longest fits first: coded ones, and plain ones, which are short, to the end.
            ordered = sorted(group, key=lambda each: each.coded, reverse=True)
            for coded, part in groupby(ordered, key=lambda each: each.coded):
                fits += self._fits(list(part), coded, end)
            histories = train_together(fits, self.progress, "raise")
            for each, history in zip(ordered, histories, strict=True):
                each.history = history
            if any(each.history.interrupted for each in group):
                return False
        return self.max_time is None or time.monotonic() < self._begun + self.max_time

    def _fits(self, group: Sequence[Candidate], coded: bool, end: float | None) -> list[MemberFit]:
        """Return the fits of networks of equal inputs, until a moment of the clock at most."""
        if coded not in self._rows:
            self._rows[coded] = self.codes.transform(self.X)
        X, rule = self._rows[coded], self.draft.rule
        bag = AdamW(rule.learning_rate, beta2=rule.beta2, weight_decay=rule.weight_decay)
        plain = [each.kind == "plain" for each in group]
        for each in group:
            if each.held is not None:
                each.scored_on = self._held_rows(X, each.held)
                each.best = BestCycle(rule.ends, each.scored_on.cost)
        return checked_fits(
            [each.network for each in group],
            X,
            self.y,
            folds=[(each.train, None) for each in group],
            sample_weight=self.w,
            epochs=[PLAIN["epochs"] if own else rule.ends[-1] for own in plain],
            batch_size=[PLAIN["batch"] if own else rule.batch_size for own in plain],
            optimizer=[Adam() if own else bag for own in plain],
            schedule=[None if own else Restarts(rule.first_cycle, per="step") for own in plain],
            l2=[PLAIN["l2"] if own else 0.0 for own in plain],
            callbacks=[_callbacks(each, end) for each in group],
        )

    def _held_rows(self, X: Array, rows: Array) -> HeldRows:
        """Return what scores networks on some rows of X (m, n)."""
        w = np.ones(len(rows)) if self.w is None else self.w[rows]
        return HeldRows(X[rows], self.y[rows], w, self.loss)


def _callbacks(candidate: Candidate, end: float | None) -> list[Callable[..., Any]]:
    """Return what keeps the best weights of a network and ends its fit."""
    found: list[Callable[..., Any]] = []
    if candidate.kind == "plain":
        found.append(Patience(PLAIN["tol"], PATIENCE, None, None))
    elif candidate.best is not None:
        found.append(candidate.best)
    if end is not None:
        found.append(lambda network, history: time.monotonic() >= end)
    return found
