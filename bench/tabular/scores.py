"""Scores: how good predictions are, and one contender beside another, in pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["METRICS", "Paired", "Record", "mean_and_error", "paired"]

#: Columns of the table: "accuracy" in points, the others as a share of the compared contender's.
METRICS = ("accuracy", "log loss", "RMSE")


class Record(NamedTuple):
    """What one contender did on one split of one set."""

    name: str  # of the set
    seed: int
    contender: str
    scores: Mapping[str, float]  # by metric
    seconds: float  # CPU time of fit and predictions

    @property
    def split(self) -> tuple[str, int]:
        """The set and the seed."""
        return self.name, self.seed


class Paired(NamedTuple):
    """One contender less another, over sets: each set's mean over its seeds counts once."""

    mean: float
    error: float  # the standard error over sets; NaN of a single one
    better: int  # sets on which it is better by more than two standard errors over seeds
    worse: int


def mean_and_error(values: Iterable[float]) -> tuple[float, float]:
    """Return the mean and its standard error; that of one value is NaN."""
    values = np.array(list(values), float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def difference(metric: str, one: float, other: float) -> float:
    """Return how far one score lies from another: points of accuracy, per cent of the others."""
    return 100 * (one - other) if metric == "accuracy" else 100 * np.log(one / other)


def paired(records: Sequence[Record], contender: str, other: str, metric: str) -> Paired | None:
    """Return a contender's differences to another on the splits that both know."""
    found = {(r.split, r.contender): r.scores for r in records if metric in r.scores}
    by_set: dict[str, list[float]] = {}
    for (split, name), scores in found.items():
        against = found.get((split, other))
        if name == contender and against is not None:
            gap = difference(metric, scores[metric], against[metric])
            by_set.setdefault(split[0], []).append(gap)
    if not by_set:
        return None
    sign = 1 if metric == "accuracy" else -1
    ends = [mean_and_error(gaps) for gaps in by_set.values()]
    clear = [sign * mean for mean, error in ends if abs(mean) > 2 * np.nan_to_num(error)]
    mean, error = mean_and_error(mean for mean, _ in ends)
    return Paired(mean, error, sum(m > 0 for m in clear), sum(m < 0 for m in clear))
