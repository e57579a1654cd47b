"""Cross-validation: every example is scored once, by a network that was not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._display.report import Report
from fastnn._display.table import Table
from fastnn._validation import arguments
from fastnn.data.splits import sort_by_class
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.ensemble import Ensemble
from fastnn.network.many import fit_many
from fastnn.training.class_weights import labels_of
from fastnn.training.prepare_data import targets_of
from fastnn.training.shared_data import rows_of_fold

from ..errors import DataError, FastnnError, SettingError
from ..history import History
from ._fits import made
from ._trials import raise_if_interrupted

__all__ = ["CrossValidation", "cross_validate"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Report):
    """Scores of each fold's held-out rows; it prints as a table.

    Attributes
    ----------
    scores : dict of str to ndarray (folds,)
        ``"cost"``, for classes ``"accuracy"``, and metrics, as `Network.evaluate` gives them.
    networks : list of Network
        One for each fold, trained on the other rows.
    histories : list of History
        Of their fits; the validation curves are those of the held-out rows.
    folds : list of (ndarray, ndarray)
        Rows that trained, and rows that were held out.
    """

    scores: dict[str, Array]
    networks: list[Network]
    histories: list[History]
    folds: list[tuple[Array, Array]]

    @property
    def ensemble(self) -> Ensemble:
        """The networks together: the mean of their predictions."""
        return Ensemble(self.networks)

    def _parts(self) -> list[Table | str]:
        columns = list(self.scores.values())
        rows = [
            (str(k + 1), *(f"{column[k]:.4f}" for column in columns))
            for k in range(len(self.networks))
        ]
        rows.append(("mean", *(f"{column.mean():.4f}" for column in columns)))
        rows.append(("deviation", *(f"{column.std(ddof=1):.4f}" for column in columns)))
        return [Table(("fold", *self.scores), rows, align="l" + "r" * len(columns))]


def cross_validate(
    make_network: Callable[[int], Network],
    X: Any,
    y: Any,
    *,
    folds: int | Iterable[tuple[Any, Any]] = 5,
    seed: int = 0,
    **fit: Any,
) -> CrossValidation:
    """Train a fresh network for each fold on the rows of the others, all at once, and score it.

    Parameters
    ----------
    make_network : callable
        Takes a seed and returns a new network: ``lambda seed: Network.mlp([…], …, seed=seed)``.
    X, y : arrays (m, n) and (m, …)
        Examples, as `Network.fit` takes them.
    folds : int or iterable of (rows, rows)
        How many parts of nearly equal size, drawn by the seed, classes in proportion; or pairs of
        the rows that train and those that are held out, as splitters of scikit-learn give.
    seed : int
        Of the networks and of the folds.
    **fit
        Settings of `fit_many`: epochs, batch_size, optimizer, metrics, …

    Returns
    -------
    CrossValidation

    Raises
    ------
    SettingError
        If there are fewer than two folds, or more than rows, or `make_network` returns no Network.
    ShapeError, DataError
        If a fold does not name rows of X for both parts, or as `Network.fit`.
    DivergenceError
        As `Network.fit`.
    """
    first = made(make_network, arguments.seed(seed))
    if not isinstance(first, Network):
        raise SettingError(
            f"make_network must return a new Network for a seed, got {type(first).__name__}; "
            "sklearn.model_selection.cross_validate takes estimators"
        )
    X, y = arguments.finite_examples(X, first.inputs), arguments.array(y, "y")
    state = state_of(first)
    Y = targets_of(state, y, len(X))
    if isinstance(folds, int | np.integer):
        pairs = _drawn(labels_of(Y, state.loss), len(X), int(folds), seed)
    else:
        pairs = _given(folds, len(X))
    if len(pairs) < 2:
        raise SettingError(f"folds must be two at least, got {len(pairs)}")
    networks = [first, *(made(make_network, seed) for _ in pairs[1:])]
    settings = {"progress": False, "on_divergence": "raise", **fit}
    histories = fit_many(networks, X, y, folds=pairs, **settings)
    for history in histories:
        raise_if_interrupted(history)
    found = [
        net.evaluate(X.take(test, axis=0), y[test])
        for net, (_, test) in zip(networks, pairs, strict=True)
    ]
    scores = {name: np.array([each[name] for each in found]) for name in found[0]}
    return CrossValidation(scores, networks, histories, pairs)


def _given(folds: Any, m: int) -> list[tuple[Array, Array]]:
    """Return the places of the rows of m that train and those that are held out, by fold."""
    pairs = []
    for k, fold in enumerate(arguments.as_list(folds, "folds", "[(train, test), …], or a number")):
        try:
            train, *rest = rows_of_fold(fold, m)
            if not rest:
                raise DataError("a fold holds no row out to be scored")
        except FastnnError as error:
            raise type(error)(f"folds[{k}]: {error}") from None
        pairs.append((train, rest[0]))
    return pairs


def _drawn(labels: Array | None, m: int, count: int, seed: int) -> list[tuple[Array, Array]]:
    """Return the pairs of so many folds of m rows; labels (m,) are shared out in proportion."""
    if not 2 <= count <= m:
        raise SettingError(f"folds must be from 2 to the {m} rows of X, got {count}")
    order = np.random.default_rng(seed).permutation(m)
    if labels is not None:  # each class in turn, dealt to the folds one by one
        order = sort_by_class(order, labels)
    fold = np.empty(m, np.int64)
    fold[order] = np.arange(m) % count
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]
