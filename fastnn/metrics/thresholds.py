"""What a classifier does at every threshold: ROC and precision–recall curves, and calibration.

Examples with equal scores are taken together, for no threshold parts them. The definitions are
those of scikit-learn's `roc_curve`, `precision_recall_curve` and `calibration_curve`; weights w
count an example of weight 2 as two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Curve(NamedTuple):
    """Points x (k,) and y (k,) of a curve, and the number that sums it up."""

    x: Array
    y: Array
    score: float


def _found(positive: Mask, score: Array, w: Array) -> tuple[Array, Array]:
    """Return weights of true and of false positives (k,) at each threshold, the highest first."""
    counted = w > 0
    positive, score, w = positive[counted], score[counted], w[counted]
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    right = np.cumsum((w * positive)[order])[last]
    wrong = np.cumsum((w * ~positive)[order])[last]
    return right, wrong


def roc(positive: Mask, score: Array, w: Array) -> Curve:
    """Return false and true positive rates from (0, 0) to (1, 1), and the area below.

    Parameters
    ----------
    positive : bool array (m,)
        Which examples are of the class; some but not all.
    score, w : array (m,)
        Larger where the class is more likely; weights of the examples.
    """
    right, wrong = (np.append(0.0, each) for each in _found(positive, score, w))
    x, y = wrong / wrong[-1], right / right[-1]
    return Curve(x, y, float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2))


def precision_recall(positive: Mask, score: Array, w: Array) -> Curve:
    """Return recalls, ascending, their precisions, and the average precision.

    Average precision is Σ (Rₙ − Rₙ₋₁) Pₙ, the area below the steps from the left. Parameters as
    in `roc`.
    """
    right, wrong = _found(positive, score, w)
    recall, precision = right / right[-1], right / (right + wrong)
    return Curve(recall, precision, float(np.diff(recall, prepend=0.0) @ precision))


def calibration(positive: Mask, p: Array, w: Array, bins: int) -> Curve:
    """Return mean probability and share of positives of each bin that is not empty, and Brier's.

    Bins are equally wide, (0, 1/bins], …, the first one with 0. Brier's score is the mean of
    (p − positive)²: G. W. Brier, Monthly Weather Review 78 (1950).
    """
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    place = np.searchsorted(edges, p)
    total, hits, sums = (
        np.bincount(place, weights=each, minlength=bins) for each in (w, w * positive, w * p)
    )
    full = total > 0
    brier = np.average((p - positive) ** 2, weights=w)
    return Curve(sums[full] / total[full], hits[full] / total[full], float(brier))
