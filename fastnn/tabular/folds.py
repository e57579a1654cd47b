"""Folds: equal parts of the rows, with the classes in proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.data.splits import sort_by_class

__all__ = ["deal_rows", "rows_of_fold"]

Rows = NDArray[np.int64]


def deal_rows(labels: Rows | None, m: int, folds: int, rng: np.random.RandomState) -> Rows:
    """Return in which fold each of m rows is, −1 in none.

    The rows of each class are dealt out one after the other, where the last class ended; a class of
    one row is in no fold, so that every network is trained on it. Without labels (m,) all rows are
    alike.
    """
    fold = np.full(m, -1, np.int64)
    rows, ends = np.arange(m), np.zeros(0, np.int64)
    if labels is not None:
        rows = sort_by_class(rows, labels)
        ends = np.flatnonzero(np.diff(labels[rows])) + 1
    dealt = 0
    for alike in np.split(rows, ends):
        if labels is not None and len(alike) == 1:
            continue
        fold[rng.permutation(alike)] = (dealt + np.arange(len(alike))) % folds
        dealt += len(alike)
    return fold


def rows_of_fold(fold: Rows, number: int) -> tuple[Rows, Rows | None]:
    """Return the rows that train a network and those that score it, None where there are none."""
    held = np.flatnonzero(fold == number)
    if not len(held) or len(held) == len(fold):
        return np.arange(len(fold)), None
    return np.flatnonzero(fold != number), held
