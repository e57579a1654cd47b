"""The metrics of probabilities, scores and values: log loss, ROC AUC, R², MSE, MAE."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.errors import DataError

from ._inputs import (
    class_probabilities,
    example_weights,
    score_columns,
    target_values,
    true_columns,
)

Array = np.ndarray[Any, Any]


def quotient(over: Array, under: Array) -> Array:
    """Return over / under (K,), 0 where there is nothing to divide by."""
    return np.divide(over, under, out=np.zeros(np.shape(over)), where=np.asarray(under) != 0)


def log_loss(y_true: Any, y_prob: Any, *, labels: Any = None, sample_weight: Any = None) -> float:
    """Return the mean of −ln p, p the probability that the true class was given.

    Parameters
    ----------
    y_true : array (m,)
        Labels.
    y_prob : array (m,), (m, 1) or (m, K)
        Probabilities: of the second of two classes, or of each class, in the order of `labels`.
        Kept away from 0 and 1 by the dtype's rounding, so that no example costs infinity.
    labels : sequence (K,), optional
        The classes in the order of the columns; by default those that occur, sorted, or 0 … K−1
        where y_true holds such numbers but not all of them.
    sample_weight : array (m,), optional
        Weights of the examples.

    Raises
    ------
    ShapeError, DataError
        If lengths differ, there is no example, a probability lies outside [0, 1], a row does not
        add up to 1, or the columns cannot be told apart.
    """
    p = class_probabilities(y_prob)
    column = true_columns(y_true, p, labels)
    edge = np.finfo(p.dtype).eps
    losses = -np.log(np.clip(p[np.arange(len(p)), column], edge, 1 - edge))
    return float(np.average(losses, weights=example_weights(sample_weight, len(p))))


def midranks(score: Array) -> Array:
    """Return the ranks 1 … m of score (m,); equal scores share the mean of their ranks."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(count) - (count - 1) / 2)[place.reshape(-1)]
    return ranks


def _area(positive: Array, score: Array) -> float:
    """Return the share of pairs (positive, negative) in right order, a tie counting half."""
    n = int(positive.sum())
    won = midranks(score)[positive].sum() - n * (n + 1) / 2  # Mann and Whitney's U
    return float(won / (n * (len(score) - n)))


def roc_auc(y_true: Any, y_score: Any, *, labels: Any = None) -> float:
    """Return the area under the ROC curve: how surely a positive scores above a negative.

    Computed from ranks (the Mann-Whitney statistic), ties by midranks. With more than two classes,
    the plain mean over the classes of each against the rest.

    Parameters
    ----------
    y_true : array (m,)
        Labels.
    y_score : array (m,), (m, 1), (m, 2) or (m, K)
        Probabilities or any scores that grow with them: of the second of two classes, or of each.
    labels : sequence (K,), optional
        The classes in the order of the columns, as in `log_loss`.

    Raises
    ------
    ShapeError, DataError
        As `log_loss`; and if a class has no example, or all: then there are no pairs to order.
    """
    score = score_columns(y_score, "y_score")
    column = true_columns(y_true, score, labels, "y_score")
    K = score.shape[1]
    present = np.bincount(column, minlength=K) > 0
    if not present.all():
        raise DataError(
            f"ROC AUC needs examples of all {K} classes, but that of column "
            f"{int(np.argmin(present))} has none in y_true"
        )
    if K == 2:
        return _area(column == 1, score[:, 1])
    return float(np.mean([_area(column == k, score[:, k]) for k in range(K)]))


def r2(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return 1 − Σ(y−ŷ)² / Σ(y−ȳ)²: 1 is perfect, 0 as good as always predicting the mean.

    The plain mean over targets, where there are several. For a target that never changes (one
    example too): 1 if it is predicted exactly, else 0.

    Parameters
    ----------
    y_true, y_pred : array (m,) or (m, K)
        Values; (m,) and (m, 1) are the same.
    sample_weight : array (m,), optional
        Weights of the examples.
    """
    true, predicted = target_values(y_true, y_pred)
    w = example_weights(sample_weight, len(true))
    # A power of two changes no digit, and keeps the squares of large and tiny numbers in range.
    exponent = np.frexp(np.maximum(np.abs(true), np.abs(predicted)).max(axis=0))[1] + 1
    true, predicted = np.ldexp(true, -exponent), np.ldexp(predicted, -exponent)
    residual = w @ (true - predicted) ** 2
    total = w @ (true - np.average(true, axis=0, weights=w)) ** 2
    # Rounding of the mean would give a target that never changes a variance.
    counted = true[w > 0]
    total[(counted == counted[0]).all(axis=0)] = 0
    constant = np.where(residual == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1 - quotient(residual, total), constant).mean())


def mse(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean of (y − ŷ)², over examples and targets; parameters as in `r2`."""
    true, predicted = target_values(y_true, y_pred)
    w = example_weights(sample_weight, len(true))
    return float(np.average((true - predicted) ** 2, axis=0, weights=w).mean())


def mae(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean of |y − ŷ|, over examples and targets; parameters as in `r2`."""
    true, predicted = target_values(y_true, y_pred)
    w = example_weights(sample_weight, len(true))
    return float(np.average(np.abs(true - predicted), axis=0, weights=w).mean())
