"""Held-out rows: those that early stopping scores after each epoch, drawn or given."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastnn._validation import arguments
from fastnn.training.prepare_data import draw_rows

from ..errors import SettingError
from .parameters import Parameters

Array = np.ndarray[Any, Any]


class HeldOut(NamedTuple):
    """Rows X (k, n) as networks take them, their y and weights (k,)."""

    X: Any
    y: Any
    w: Array


def draw_held_out(
    given: Parameters, y: Any, w: Array, several: bool, seed: int
) -> tuple[Array, Array]:
    """Return the rows of y (m,) that train and those that `early_stopping` holds out, in order.

    Only rows with weight w (m,) are held out: ⌈validation_fraction · their number⌉, as in
    scikit-learn. Labels are held out in proportion, and one row of each class trains, where that
    leaves enough; else, and where an example has several labels or targets, all rows are alike.
    """
    share = arguments.fraction(given.validation_fraction, "validation_fraction")
    arguments.real(share, "validation_fraction", above=0)
    rows = np.flatnonzero(arguments.sample_weight(w, len(w)))
    size = math.ceil(share * len(rows))
    if size == len(rows):
        raise SettingError(
            f"validation_fraction={share:g} holds out all of what has weight, "
            f"{size} sample{'s' * (size > 1)}; lower it, or give more rows to train on"
        )
    labels = None
    if not several:
        names, labels = np.unique(np.asarray(y)[rows], return_inverse=True)
        labels = None if len(rows) - len(names) < size else labels
    held = rows[draw_rows(labels, len(rows), size / len(rows), seed)[1]]
    return np.setdiff1d(np.arange(len(w)), held), held


def check_large_enough(held: HeldOut, score: str, least: int) -> None:
    """Refuse held-out rows too few for a score to be a number."""
    rows = int(np.count_nonzero(held.w))
    if rows < least:
        raise SettingError(
            f"The validation set is too small: {score} needs {least} rows with weight, got {rows}; "
            "raise validation_fraction, give more rows, or set monitor='validation_cost'"
        )
