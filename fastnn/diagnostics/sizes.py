"""Learning curves: the scores of training and unseen examples over the number of the former."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._display.report import Report
from fastnn._display.table import Table
from fastnn._validation import arguments
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.training.prepare_data import targets_of

from ..errors import DataError, SettingError, ShapeError
from ._fits import made, weights_of_rows

__all__ = ["LearningCurve", "learning_curve"]

Array = np.ndarray[Any, Any]
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class LearningCurve(Report):
    """Scores over training-set sizes; it prints as a table, `plot.learning_curve` draws it.

    Attributes
    ----------
    sizes : ndarray (S,)
        Numbers of training examples.
    train, dev : ndarray (seeds, S)
        Score of the examples trained on, and of the dev part.
    metric : str
        What is scored: ``"accuracy"`` or ``"cost"``.
    """

    sizes: Array
    train: Array
    dev: Array
    metric: str

    def _parts(self) -> list[Table | str]:
        means = zip(self.sizes, self.train.mean(axis=0), self.dev.mean(axis=0), strict=True)
        rows = [
            (str(size), f"{train:.4f}", f"{dev:.4f}", f"{abs(train - dev):>6.4f}")
            for size, train, dev in means
        ]
        header = "examples", f"train {self.metric}", f"dev {self.metric}", "   gap"
        found: list[Table | str] = [Table(header, rows, align="rrrr")]
        return [*found, f"Means over {len(self.train)} seeds."] if len(self.train) > 1 else found


def learning_curve(
    make_network: Callable[[int], Network],
    X: Any,
    y: Any,
    *,
    X_dev: Any,
    y_dev: Any,
    sizes: Sequence[float] | None = None,
    seeds: Sequence[int] = (0,),
    **fit: Any,
) -> LearningCurve:
    """Train fresh networks on more and more examples and score each on seen and unseen ones.

    A gap that closes as examples are added promises more from more data; two curves that have met
    at a bad score say that only another model helps.

    Parameters
    ----------
    make_network : callable
        Takes a seed and returns a new network: ``lambda seed: Network.mlp([…], …, seed=seed)``.
    X, y : arrays (m, n) and (m, …)
        Examples to train on.
    X_dev, y_dev : arrays
        Examples that are only scored.
    sizes : sequence, optional
        Numbers of examples, or floats up to 1.0 as shares of m; by default 10 %, 25 %, 50 %, 75 %
        and all. Smaller sets are parts of larger ones.
    seeds : sequence of int
        Each draws other examples and other weights, for a band instead of a line.
    **fit
        Settings of `Network.fit`: epochs, batch_size, optimizer, …; a sample_weight (m,) goes with
        its rows. Scores count every example once.

    Returns
    -------
    LearningCurve

    Raises
    ------
    SettingError
        If a size is not positive or greater than m, or there are no seeds.
    ShapeError, DataError
        As `Network.fit`.
    """
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2:
        raise DataError(f"X must have shape (m, n), got {X.shape}")
    arguments.check_same_length(X, y)
    X_dev = arguments.finite_examples(X_dev, X.shape[1], "X", name="X_dev")
    y_dev = np.asarray(y_dev)
    if len(X_dev) != len(y_dev):
        raise ShapeError(f"X_dev has {len(X_dev)} rows but y_dev has {len(y_dev)}")
    weights = weights_of_rows(fit, len(X))
    counts = _counts(SHARES if sizes is None else sizes, len(X))
    if not len(seeds):
        raise SettingError("seeds is empty; give at least one, as in seeds=(0, 1, 2)")
    scores = np.zeros((2, len(seeds), len(counts)))
    metric = "cost"
    for i, seed in enumerate(seeds):
        order = np.random.default_rng(arguments.seed(seed)).permutation(len(X))
        for j, count in enumerate(counts):
            rows, net = order[:count], made(make_network, seed)
            if not i and not j and isinstance(net, Network):  # once: the others are alike
                targets_of(state_of(net), y_dev, len(X_dev))
            net.fit(X[rows], y[rows], **{"progress": False, **fit, **weights(rows)})
            parts = net.evaluate(X[rows], y[rows]), net.evaluate(X_dev, y_dev)
            metric = "accuracy" if "accuracy" in parts[0] else "cost"
            scores[:, i, j] = [part[metric] for part in parts]
    return LearningCurve(counts, scores[0], scores[1], metric)


def _counts(sizes: Sequence[float], m: int) -> Array:
    """Return numbers of examples (S,), ascending, from counts and shares of m."""
    counts = set()
    for size in sizes:
        share = isinstance(size, float | np.floating)
        number = round(float(size) * m) if share and 0 < size <= 1 else size
        if not isinstance(number, int | np.integer) or not 1 <= number <= m:
            raise SettingError(
                f"sizes must be whole numbers from 1 to m = {m}, or floats in (0, 1] as shares of "
                f"m; got {size!r}"
            )
        counts.add(int(number))
    if not counts:
        raise SettingError("sizes is empty; give at least one, or None")
    return np.array(sorted(counts))
