"""Checks of what metrics take: labels, probabilities and values, and labels as class indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn._validation.label_kinds import check_same_kind, read_labels
from fastnn.errors import DataError, SettingError, ShapeError

Array = np.ndarray[Any, Any]
#: How far from 1 the probabilities of a row may add up.
PROBABILITY_SUM_TOLERANCE = 1e-3


def _check_examples(a: Array, b: Array, second: str) -> None:
    """Refuse two arrays of different lengths, or without any example."""
    if len(a) != len(b):
        raise ShapeError(
            f"y_true has {len(a)} rows but {second} has {len(b)}; every example needs one of each"
        )
    if not len(a):
        raise DataError(f"y_true and {second} are empty; a metric needs at least one example")


def _one_column(array: Array, name: str) -> Array:
    """Return labels (m,) of an array (m,) or (m, 1)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ShapeError(
            f"{name} must hold one label for each example, (m,), got shape {array.shape}; "
            "one-hot rows become labels by argmax(axis=1)"
        )
    return array


def comparable_labels(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return true and predicted labels (m,) that can be compared with each other."""
    true = _one_column(read_labels(y_true, "y_true"), "y_true")
    predicted = _one_column(read_labels(y_pred, "y_pred"), "y_pred")
    _check_examples(true, predicted, "y_pred")
    return check_same_kind(true, predicted, "y_true", "y_pred")


def multilabel_indicators(y_true: Any, y_pred: Any) -> tuple[Array, Array] | None:
    """Return labels (m, K) of several at a time, or None where an example has one label."""
    true, predicted = read_labels(y_true, "y_true"), read_labels(y_pred, "y_pred")
    if not all(array.ndim == 2 and array.shape[1] > 1 for array in (true, predicted)):
        return None
    if true.shape != predicted.shape:
        raise ShapeError(f"y_true is {true.shape} but y_pred {predicted.shape}")
    _check_examples(true, predicted, "y_pred")
    return check_same_kind(true, predicted, "y_true", "y_pred")


def class_labels(given: Any, *ys: Array) -> Array:
    """Return the classes (K,): as given, or all that occur in ys, in order."""
    if given is None:
        try:
            return np.unique(np.concatenate(ys))
        except TypeError as error:
            raise DataError(f"the labels cannot be put in order: {error}") from error
    classes = read_labels(given, "labels")
    if classes.ndim != 1 or not classes.size or len(np.unique(classes)) != classes.size:
        raise SettingError(f"labels must name each class once, in one dimension, got {given!r}")
    for y in ys:
        classes = check_same_kind(classes, y, "labels", "y_true")[0]
    return classes


def class_indices(y: Array, classes: Array, name: str) -> Array:
    """Return the index (m,) among classes (K,) of every label of y (m,)."""
    classes, y = check_same_kind(classes, y, "labels", name)
    order = np.argsort(classes)
    found = order[np.minimum(np.searchsorted(classes[order], y), len(classes) - 1)]
    unknown = classes[found] != y
    if unknown.any():
        row = int(unknown.argmax())
        some = ", ".join(str(label) for label in classes[:6]) + (", …" if len(classes) > 6 else "")
        raise DataError(f"{name}[{row}] is {y[row]}, which is not among the classes {some}")
    return np.asarray(found)


def example_weights(sample_weight: Any, m: int) -> Array:
    """Return the weights of the examples (m,) in float64."""
    return np.ones(m) if sample_weight is None else arguments.sample_weight(sample_weight, m)


def target_values(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return true and predicted values (m, K) in float64."""

    def column(given: Any, name: str) -> Array:
        array = arguments.numeric(given, name)
        if array.ndim not in (1, 2) or (array.ndim == 2 and not array.shape[1]):
            raise ShapeError(f"{name} must have shape (m,) or (m, K), got {array.shape}")
        arguments.check_finite(array, name)
        # The width is stated, for reshape cannot guess it where there are no rows.
        width = array.shape[1] if array.ndim == 2 else 1
        return array.reshape(len(array), width).astype(np.float64)

    true, predicted = column(y_true, "y_true"), column(y_pred, "y_pred")
    _check_examples(true, predicted, "y_pred")
    if true.shape != predicted.shape:
        raise ShapeError(f"y_true is {true.shape} but y_pred {predicted.shape}; they must agree")
    return true, predicted


def score_columns(given: Any, name: str) -> Array:
    """Return scores or probabilities as (m, K); one column p becomes the two columns 1 − p and p.

    float32 stays float32, for its rounding decides how close to 0 a probability can come.
    """
    array = arguments.numeric(given, name)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not array.shape[1]):
        raise ShapeError(f"{name} must have shape (m,) or (m, K), got {array.shape}")
    arguments.check_finite(array, name)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    array = array.reshape(len(array), array.shape[1] if array.ndim == 2 else 1)
    return np.hstack([1 - array, array]) if array.shape[1] == 1 else array


def class_probabilities(given: Any) -> Array:
    """Return probabilities (m, K) whose rows add up to 1."""
    p = score_columns(given, "y_prob")
    if ((p < 0) | (p > 1)).any():
        row = int(((p < 0) | (p > 1)).any(axis=1).argmax())
        raise DataError(f"y_prob must lie in [0, 1], but row {row} is {p[row]}")
    wrong = np.abs(p.sum(axis=1, dtype=np.float64) - 1) > PROBABILITY_SUM_TOLERANCE
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"rows of y_prob must add up to 1, but row {row} adds up to {p[row].sum():g}"
        )
    return p


def true_columns(y_true: Any, p: Array, given: Any, name: str = "y_prob") -> Array:
    """Return the column (m,) of every example's class in p (m, K).

    Without classes given, column k belongs to the k-th of those that occur; where fewer occur than
    there are columns, whole numbers 0 … K−1 name their columns themselves.
    """
    y, K = _one_column(read_labels(y_true, "y_true"), "y_true"), p.shape[1]
    _check_examples(y, p, name)
    classes = class_labels(given, y)
    numbered = y.dtype.kind in "biuf" and bool(np.isin(classes, np.arange(K)).all())
    if given is None and len(classes) < K and numbered:
        classes = np.arange(K)
    if len(classes) != K:
        raise DataError(
            f"y_true holds {len(classes)} classes but {name} has {K} columns; name them all in "
            "labels"
        )
    return class_indices(y, classes, "y_true")
