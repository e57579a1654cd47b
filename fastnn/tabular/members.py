"""Members: the networks of a bag, described, trained on both cores, and averaged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.threads import get_num_threads
from fastnn.callbacks import EarlyStopping
from fastnn.estimators.stopping import Patience
from fastnn.history import History
from fastnn.layers import Dense, Dropout, Layer, Normalization
from fastnn.lowering.lower import output_activation
from fastnn.network import Network
from fastnn.network.many import checked_fits, train_together
from fastnn.network.member_fit import MemberFit
from fastnn.optimizers import Adam, AdamW
from fastnn.schedules import Cosine

from .codes import CodedRows, PiecewiseLinearCodes
from .folds import deal_rows, rows_of_fold
from .rule import Rule

__all__ = ["Candidate", "Member", "make_candidates", "mean_outputs", "outputs_of", "train"]

Array = NDArray[Any]
Rows = NDArray[np.int64]
#: Of the plain network: what `MLPClassifier` has by default.
PLAIN: dict[str, Any] = {"units": 100, "l2": 1e-4, "epochs": 200, "batch": 200, "tol": 1e-4}
PATIENCE = 10
KINDS = ("coded", "linear", "plain")
#: Numbers of rows with their codes that a prediction holds at once.
BLOCK = 2**24


@dataclass(frozen=True, eq=False)
class Member:
    """A network of the bag, and how it was trained.

    Attributes
    ----------
    kind : {"coded", "linear", "plain"}
        Of a network that is given codes, one that is not, and one like that of `MLPClassifier`.
    network : Network
    trained, scored : int
        Rows that trained it, and rows that scored it after each epoch.
    curve : tuple of float
        The cost of each epoch: of the rows that scored it, else of those that trained it.
    """

    kind: str
    network: Network
    trained: int
    scored: int
    curve: tuple[float, ...]

    @property
    def coded(self) -> bool:
        """Whether it is given codes."""
        return self.kind == "coded"

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, whose weights it has."""
        return 1 + int(np.argmin(self.curve)) if self.scored else len(self.curve)


@dataclass
class Candidate:
    """A network that is to be trained: its kind, and its rows (k,) as `rows_of_fold` gives them."""

    kind: str
    network: Network
    train: Rows
    held: Rows | None
    history: History = field(default_factory=History)

    @property
    def coded(self) -> bool:
        """Whether it is given codes."""
        return self.kind == "coded"

    @property
    def member(self) -> Member:
        """What the bag keeps of it."""
        curve = self.history["cost" if self.held is None else "validation_cost"]
        scored = 0 if self.held is None else len(self.held)
        return Member(self.kind, self.network, len(self.train), scored, tuple(curve.tolist()))


def make_candidates(
    rule: Rule, labels: Rows | None, m: int, outputs: Sequence[Layer],
    rng: np.random.RandomState,
) -> list[Candidate]:  # fmt: skip
    """Return the untrained networks of a bag for m rows, with labels (m,) if they have classes."""
    fold = deal_rows(labels, m, rule.folds, rng)
    hidden: list[Layer] = [
        Dense(rule.units, "mish"),
        *([Dropout(rule.dropout)] if rule.dropout else []),
    ]
    made = []
    for place in range(rule.networks):
        network = Network([*hidden * 3, *outputs], seed=_seed(rng))
        kind = "coded" if rule.coded(place) else "linear"
        made.append(Candidate(kind, network, *rows_of_fold(fold, place)))
    if rule.plain:
        layers = [Normalization(), Dense(PLAIN["units"], "relu"), *outputs]
        made.append(Candidate("plain", Network(layers, seed=_seed(rng)), np.arange(m), None))
    return made


def _seed(rng: np.random.RandomState) -> int:
    """Return the seed of a network."""
    return int(rng.randint(2**31 - 1))


def train(
    made: Sequence[Candidate], rule: Rule, X: Array, codes: PiecewiseLinearCodes, y: Array,
    w: Array | None, *, max_time: float | None, progress: bool,
) -> list[Candidate]:  # fmt: skip
    """Train the networks on X (m, n), y (m,) and weights w (m,); return those that were trained.

    All are trained together, a whole one on each thread. With `max_time` as many as there are
    threads at once, each with its share of the seconds; those for which no time is left, or that
    Ctrl-C came before, are left out of the bag, but never all of them.
    """
    size = len(made) if max_time is None else get_num_threads()
    groups = [made[k : k + size] for k in range(0, len(made), size)]
    begun = time.monotonic()
    rows = CodedRows(X, codes)
    for number, group in enumerate(groups, start=1):
        end = None if max_time is None else begun + max_time * number / len(groups)
        if number > 1 and max_time is not None and time.monotonic() >= begun + max_time:
            break
        fits: list[MemberFit] = []
        ordered = sorted(group, key=lambda each: each.coded)
        for coded, part in groupby(ordered, key=lambda each: each.coded):
            fits += _fits(list(part), rule, rows.given(coded), y, w, end)
        for each, history in zip(ordered, train_together(fits, progress, "raise"), strict=True):
            each.history = history
        if any(each.history.interrupted for each in group):
            break
    trained = [each for each in made if each.history.epochs]
    if not trained:
        raise KeyboardInterrupt
    return trained


def _fits(
    group: Sequence[Candidate], rule: Rule, X: Array, y: Array, w: Array | None, end: float | None
) -> list[MemberFit]:
    """Return the fits of networks that take the rows X (m, n), until a moment of the clock."""
    bag = AdamW(rule.learning_rate, beta2=rule.beta2, weight_decay=rule.weight_decay)
    plain = [each.kind == "plain" for each in group]
    return checked_fits(
        [each.network for each in group],
        X,
        y,
        folds=[(each.train, each.held) for each in group],
        sample_weight=w,
        epochs=[PLAIN["epochs"] if own else rule.epochs for own in plain],
        batch_size=[PLAIN["batch"] if own else rule.batch_size for own in plain],
        optimizer=[Adam() if own else bag for own in plain],
        schedule=[None if own else Cosine(rule.epochs, per="step") for own in plain],
        l2=[PLAIN["l2"] if own else 0.0 for own in plain],
        callbacks=[_callbacks(each, rule, end) for each in group],
    )


def _callbacks(member: Candidate, rule: Rule, end: float | None) -> list[Callable[..., Any]]:
    """Return what keeps the best epoch of a network and ends its fit."""
    found: list[Callable[..., Any]] = []
    if member.kind == "plain":
        found.append(Patience(PLAIN["tol"], PATIENCE, None, None))
    elif member.held is not None:
        found.append(EarlyStopping("validation_cost", patience=rule.epochs))
    if end is not None:
        found.append(lambda network, history: time.monotonic() >= end)
    return found


def outputs_of(member: Member | Candidate, rows: CodedRows) -> NDArray[np.float64]:
    """Return what one network gives to m rows: probabilities (m, K), or values (m, 1)."""
    network, X = member.network, rows.given(member.coded)
    values = network.predict_proba(X) if _classifies(network) else network.predict(X)
    return np.asarray(values, np.float64).reshape(len(X), -1)


def _classifies(network: Network) -> bool:
    """Whether its outputs are probabilities."""
    return output_activation(network.layers) != "identity"


def mean_outputs(
    members: Sequence[Member], X: Array, codes: PiecewiseLinearCodes
) -> NDArray[np.float64]:
    """Return the mean of what the networks give to rows X (m, n); codes of some rows at a time."""
    step = max(1, BLOCK // (X.shape[1] + codes.width))
    sums = []
    for k in range(0, max(len(X), 1), step):
        rows = CodedRows(X[k : k + step], codes)
        sums.append(sum(outputs_of(each, rows) for each in members))
    return np.asarray(np.concatenate(sums) / len(members))
