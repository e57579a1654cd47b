"""Target statistics: what the target is on average where a category has a certain value.

A category of thousands of values has too many for features of their own. Each value is a number
here instead, for each target or class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.tables import TableEncoder
from fastnn.data.tables.choice import HARDLY_REPEAT
from fastnn.data.tables.columns import CategoryColumn
from fastnn.data.tables.values import Texts, as_texts
from fastnn.errors import DataError

__all__ = ["TargetStatistics", "learn_statistics"]

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
#: Parts of the rows, each of which is encoded by what the others say.
FOLDS = 5
#: Share of the rows that have a rare value from which on statistics are learnt.
RARE = 0.1
#: Targets or classes at most.
MOST_TARGETS = 20
#: Bytes that all values and means may take of what a reader of model files allows for JSON, about.
MOST_BYTES = 5 * 2**19
#: Standard errors by which the values of a column must differ.
CLEARLY = 3.0


@dataclass(frozen=True, eq=False)
class TargetStatistics:
    """Means of the targets for each value of a column, shrunk to the mean of all rows.

    Attributes
    ----------
    name : str
        Of the column.
    values : tuple of str
        As text; others, and missing ones, have the mean of all rows.
    means : array (V, K)
        Of each value; 0 is the mean of all rows, 1 the standard deviation of the feature.
    """

    name: str
    values: tuple[str, ...]
    means: Array

    @property
    def width(self) -> int:
        """Features."""
        return int(self.means.shape[1])

    @property
    def table(self) -> Array:
        """The features (V + 1, K) of each value, and of all others."""
        return np.vstack([self.means, np.zeros((1, self.width))])

    def encode(self, series: Any) -> Array:
        """Return the features (m, K) of a column."""
        codes, texts = as_texts(series)
        place, none = {value: k for k, value in enumerate(self.values)}, len(self.values)
        rows = np.array([*(place.get(text, none) for text in texts), none], np.int64)
        return np.asarray(self.table[rows[codes]])

    def config(self) -> dict[str, Any]:
        """Return the statistics as plain data, which JSON can say."""
        return {"name": self.name, "values": list(self.values), "means": self.means.T.tolist()}

    @classmethod
    def from_config(cls, data: Any) -> TargetStatistics:
        """Return the statistics of data that `config` returned; DataError if they are none."""
        try:
            name, values = data["name"], data["values"]
            means = np.array(data["means"], np.float64).T
            largest = np.finfo(np.float32).max
            texts = [name, *values]
            fits = (
                set(data) == {"name", "values", "means"}
                and all(isinstance(each, str) for each in texts)
                and len(set(values)) == len(values) == len(means)
                and means.ndim == 2
                and 0 < means.shape[1] <= MOST_TARGETS
                and bool((np.abs(means) < largest).all())
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise DataError(f"the description of target statistics is none: {data!r:.200}")
        return cls(name, tuple(values), means)


def learn_statistics(
    frame: Any, encoder: TableEncoder, y: Array, labels: Codes | None, w: Array | None,
    rng: np.random.RandomState,
) -> tuple[tuple[TargetStatistics, ...], Array]:  # fmt: skip
    """Return the statistics of the columns of a frame that need them, and its features (m, n).

    Those are categories whose values are too many, or too rare, for features of their own, as far
    as the targets differ clearly from value to value: y (m,) or (m, K), or shares of labels (m,).
    The features of each fifth of the rows come of the other rows: no row is told its own target.
    Columns that the encoder left out are taken from `encoder.dropped` if they are used here.
    """
    m, found, features = len(frame), [], [np.zeros((len(frame), 0))]
    names = _candidates(encoder, m)
    if not names or (labels is not None and labels.max() >= MOST_TARGETS):
        return (), features[0]
    Y = y.reshape(m, -1).astype(np.float64) if labels is None else _shares(labels)
    w = np.ones(m) if w is None else w / w.mean()
    Y = Y - np.average(Y, axis=0, weights=w)
    fold: Codes | None = None
    for name in names:
        texts = as_texts(frame[name])
        if len(texts.texts) <= encoder.max_values:
            continue
        codes, values = _frequent(texts, MOST_BYTES // len(names), Y.shape[1])
        ratio = _variance_ratio(codes, Y, w, len(values))
        told = np.isfinite(ratio)
        if not told.any():
            continue
        fold = rng.permutation(m) % FOLDS if fold is None else fold
        others = [np.where(fold == k, -1, codes) for k in range(FOLDS)]
        tables = [_shrunk(each, Y[:, told], w, len(values), ratio[told]) for each in others]
        own = np.stack(tables)[fold, codes]
        scale = own.std(axis=0)
        scale[scale == 0] = 1.0
        means = _shrunk(codes, Y[:, told], w, len(values), ratio[told])[:-1]
        found.append(TargetStatistics(name, values, np.round(means / scale, 6)))
        features.append(own / scale)
        encoder.dropped.pop(name, None)
    return tuple(found), np.hstack(features)


def _shares(labels: Codes) -> Array:
    """Return 1 in the column (m, K) of each row's class, 0 elsewhere; of two classes the second."""
    Y: Array = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
    return Y[:, 1:] if Y.shape[1] == 2 else Y


def _candidates(encoder: TableEncoder, m: int) -> list[str]:
    """Return the columns of which many rows have a value without a feature of its own."""
    rare = [
        each.name
        for each in encoder.columns
        if isinstance(each, CategoryColumn) and each.other >= RARE * m
    ]
    return rare + [name for name, why in encoder.dropped.items() if why.endswith(HARDLY_REPEAT)]


def _frequent(column: Texts, most: int, K: int) -> tuple[Codes, tuple[str, ...]]:
    """Return the most frequent values, and the number (m,) of each row's one, −1 for others.

    A value with K means takes some 110 + 40 K bytes, and 12 for a character where one is not ASCII;
    all of them take `most` at most.
    """
    order = np.argsort(-column.counts, kind="stable")
    sizes = np.array([len(text) for text in column.texts])[order]
    each = 12 if any(not text.isascii() for text in column.texts) else 1
    kept = order[np.cumsum(110 + 40 * K + each * sizes) <= most]
    number = np.full(len(order) + 1, -1, np.int64)
    number[kept] = np.arange(len(kept))
    return number[column.codes], tuple(column.texts[k] for k in kept)


def _sums(codes: Codes, Y: Array, w: Array, V: int) -> tuple[Array, Array]:
    """Return the weight (V, 1) and the weighted sums (V, K) of the rows of each value."""
    known = codes >= 0
    found = [np.bincount(codes[known], (w * y)[known], V) for y in (np.ones(len(w)), *Y.T)]
    sums = np.stack(found, axis=1).astype(np.float64)
    return sums[:, :1], sums[:, 1:]


def _variance_ratio(codes: Codes, Y: Array, w: Array, V: int) -> Array:
    """Return the variance within values over that between them (K,), by an analysis of variance.

    Infinite where values differ by no more than chance would have it: where the F of the analysis
    is not above 1 by `CLEARLY` of its standard errors.
    """
    known = codes >= 0
    m = known.sum()
    if m <= V or V < 2:
        return np.full(Y.shape[1], np.inf)
    weight, sums = _sums(codes, Y, w, V)
    means = sums / weight
    middle = sums.sum(axis=0) / weight.sum()
    within = (w[known, None] * (Y[known] - means[codes[known]]) ** 2).sum(axis=0) / (m - V)
    between = (weight * (means - middle) ** 2).sum(axis=0) / (V - 1)
    rows = (weight.sum() - (weight**2).sum() / weight.sum()) / (V - 1)
    clear = between > within * (1 + CLEARLY * np.sqrt(2 / (V - 1) + 2 / (m - V)))
    excess = np.where(clear, between - within, 1.0)
    return np.where(clear, within * rows / excess, np.inf)


def _shrunk(codes: Codes, Y: Array, w: Array, V: int, ratio: Array) -> Array:
    """Return the best linear unbiased prediction (V + 1, K) of each value's mean; 0 for others.

    Of a random effect with these ratios of variances (K,): n / (n + ratio) of the mean of n rows;
    G. K. Robinson, Statistical Science 6, 1991.
    """
    weight, sums = _sums(codes, Y, w, V)
    table = np.zeros((V + 1, Y.shape[1]))
    table[:-1] = sums / np.maximum(weight + ratio, np.finfo(float).tiny)
    return table
