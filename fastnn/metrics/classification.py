"""Metrics: how good predictions are, in the numbers that scikit-learn would give.

Nothing here returns NaN: a quotient of nothing by nothing counts as 0, silently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fastnn.errors import SettingError

from ._inputs import (
    class_indices,
    class_labels,
    comparable_labels,
    example_weights,
    multilabel_indicators,
)
from .report import ClassReport
from .scores import log_loss, mae, mse, quotient, r2, roc_auc

Array = np.ndarray[Any, Any]


def accuracy(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the (weighted) share of the examples whose labels are right.

    Parameters
    ----------
    y_true, y_pred : array (m,), (m, 1) or (m, K)
        Labels, whole numbers or text, in a list, an array or a column of a table, whatever their
        dtype. With several labels at a time, (m, K), all K of a row must match for it to count as
        right: subset accuracy, which is lower than the share of the labels that are right.
    sample_weight : array (m,), optional
        Weights of the examples.

    Raises
    ------
    ShapeError, DataError
        If lengths or shapes differ, there is no example, one side holds other labels than the
        other (text and numbers), or something that is no label, as a probability is none.
    """
    multilabel = multilabel_indicators(y_true, y_pred)
    true, predicted = multilabel or comparable_labels(y_true, y_pred)
    right = (true == predicted).reshape(len(true), -1).all(axis=1)
    return float(np.average(right, weights=example_weights(sample_weight, len(right))))


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None
) -> Array:
    """Return how many examples of class i (row) were taken for class j (column).

    Parameters
    ----------
    y_true, y_pred : array (m,) or (m, 1)
        Labels: whole numbers or text, as in `accuracy`.
    labels : sequence (K,), optional
        The classes in the order of rows and columns; by default all that occur, sorted.
    sample_weight : array (m,), optional
        Weights of the examples.

    Returns
    -------
    ndarray (K, K)
        int64 counts, or float64 sums of weights.

    Raises
    ------
    ShapeError, DataError
        If lengths differ, there is no example, or a label is not among `labels`.
    SettingError
        If `labels` names a class twice, or none.
    """
    true, predicted = comparable_labels(y_true, y_pred)
    classes = class_labels(labels, true, predicted)
    K = len(classes)
    cells = class_indices(true, classes, "y_true") * K + class_indices(predicted, classes, "y_pred")
    w = None if sample_weight is None else example_weights(sample_weight, len(true))
    return np.bincount(cells, weights=w, minlength=K * K).reshape(K, K)


def _counts(matrix: Array) -> tuple[Array, Array, Array]:
    """Return right examples, predicted examples and true examples of each class, (K,) each."""
    return np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)


def _average(per_class: Array, micro: float, support: Array, average: str | None) -> Any:
    """Return numbers of classes (K,), or one number of them all."""
    if average is None:
        return per_class
    if average == "micro":
        return float(micro)
    if average == "weighted":
        return float(quotient(per_class @ support, support.sum()))
    if average == "macro":
        return float(per_class.mean())
    raise SettingError(f"average must be 'macro', 'weighted', 'micro' or None, got {average!r}")


def precision(y_true: Any, y_pred: Any, *, labels: Any = None, average: str | None = None) -> Any:
    """Return for each class the share of its predictions that are right: TP / (TP + FP).

    Parameters
    ----------
    y_true, y_pred, labels
        As in `confusion_matrix`.
    average : {"macro", "weighted", "micro"}, optional
        One number instead: the classes' mean, their mean by number of true examples, or the
        formula over all examples.

    Returns
    -------
    ndarray (K,) or float
        0 for a class that was never predicted (scikit-learn's value; it warns, this does not).
    """
    right, predicted, true = _counts(confusion_matrix(y_true, y_pred, labels=labels))
    return _average(quotient(right, predicted), right.sum() / predicted.sum(), true, average)


def recall(y_true: Any, y_pred: Any, *, labels: Any = None, average: str | None = None) -> Any:
    """Return for each class the share of its examples that were found: TP / (TP + FN).

    Parameters, average and errors as in `precision`; 0 for a class without examples.
    """
    right, _, true = _counts(confusion_matrix(y_true, y_pred, labels=labels))
    return _average(quotient(right, true), right.sum() / true.sum(), true, average)


def f1(y_true: Any, y_pred: Any, *, labels: Any = None, average: str | None = None) -> Any:
    """Return for each class the harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    Parameters, average and errors as in `precision`; 0 for a class that neither occurs nor is
    predicted.
    """
    right, predicted, true = _counts(confusion_matrix(y_true, y_pred, labels=labels))
    return _average(quotient(2 * right, predicted + true), right.sum() / true.sum(), true, average)


def classification_report(
    y_true: Any, y_pred: Any, *, labels: Any = None, classes: Any = None
) -> ClassReport:
    """Return precision, recall, F1 and number of examples of every class: a table that prints.

    Parameters
    ----------
    y_true, y_pred, labels
        As in `confusion_matrix`.
    classes : sequence of names (K,), optional
        What the table calls the classes.

    Raises
    ------
    SettingError
        If there is another number of names than of classes; else as `confusion_matrix`.
    """
    known = class_labels(labels, *comparable_labels(y_true, y_pred))
    names = tuple(str(name) for name in (known if classes is None else classes))
    if len(names) != len(known):
        raise SettingError(f"classes has {len(names)} names for {len(known)} classes")
    matrix = confusion_matrix(y_true, y_pred, labels=known)
    right, predicted, true = _counts(matrix)
    columns = quotient(right, predicted), quotient(right, true)
    score = quotient(2 * right, predicted + true)
    return ClassReport(names, *columns, score, true, float(right.sum() / true.sum()))


def _of_positive_class(metric: Callable[..., Any]) -> Callable[..., float]:
    """Return a metric of labels 0 and 1 that gives class 1's number."""

    def single(y_true: Any, y_pred: Any) -> float:
        return float(metric(y_true, y_pred, labels=(0, 1))[1])

    single.__name__ = metric.__name__
    return single


class Metric(NamedTuple):
    """A metric by name: called as function(y_true, what it needs), it gives one number.

    `needs` is ``"labels"``, ``"probabilities"`` or ``"values"``.
    """

    function: Callable[..., float]
    needs: str


AVERAGES = "macro", "weighted", "micro"

#: ``"f1"`` and the like are of labels 0 and 1; those of more classes say how they average.
NAMES: dict[str, Metric] = {
    "accuracy": Metric(accuracy, "labels"),
    "precision": Metric(_of_positive_class(precision), "labels"),
    "recall": Metric(_of_positive_class(recall), "labels"),
    "f1": Metric(_of_positive_class(f1), "labels"),
    "log_loss": Metric(log_loss, "probabilities"),
    "roc_auc": Metric(roc_auc, "probabilities"),
    "r2": Metric(r2, "values"),
    "mae": Metric(mae, "values"),
    "mse": Metric(mse, "values"),
} | {
    f"{metric.__name__}_{average}": Metric(partial(metric, average=average), "labels")
    for metric in (precision, recall, f1)
    for average in AVERAGES
}
