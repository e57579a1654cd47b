"""What metrics take in: labels, probabilities and values checked, labels turned into places."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn._validation.label_kinds import read, same_kind
from fastnn.errors import DataError, SettingError, ShapeError

Array = np.ndarray[Any, Any]
SUM = 1e-3  # how far the probabilities of a row may add up beside 1


def _same_rows(a: Array, b: Array, second: str) -> None:
    """Refuse two arrays that are not row for row of the same examples, or hold none."""
    if len(a) != len(b):
        raise ShapeError(
            f"y_true has {len(a)} rows but {second} has {len(b)}; every example needs one of each"
        )
    if not len(a):
        raise DataError(f"y_true and {second} are empty; a metric needs at least one example")


def _one_column(array: Array, name: str) -> Array:
    """Return labels as (m,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ShapeError(
            f"{name} must hold one label for each example, (m,), got shape {array.shape}; "
            "one-hot rows become labels by argmax(axis=1)"
        )
    return array


def labels(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return true and predicted labels (m,) that can be compared with each other."""
    truth = _one_column(read(y_true, "y_true"), "y_true")
    guess = _one_column(read(y_pred, "y_pred"), "y_pred")
    _same_rows(truth, guess, "y_pred")
    return same_kind(truth, guess, "y_true", "y_pred")


def indicators(y_true: Any, y_pred: Any) -> tuple[Array, Array] | None:
    """Return labels (m, K) of several at a time, or None where an example has one label."""
    truth, guess = read(y_true, "y_true"), read(y_pred, "y_pred")
    if not all(array.ndim == 2 and array.shape[1] > 1 for array in (truth, guess)):
        return None
    if truth.shape != guess.shape:
        raise ShapeError(f"y_true is {truth.shape} but y_pred {guess.shape}")
    _same_rows(truth, guess, "y_pred")
    return same_kind(truth, guess, "y_true", "y_pred")


def classes_of(given: Any, *ys: Array) -> Array:
    """Return the classes (K,): as given, or all that occur in ys, in order."""
    if given is None:
        try:
            return np.unique(np.concatenate(ys))
        except TypeError as error:
            raise DataError(f"the labels cannot be put in order: {error}") from error
    known = read(given, "labels")
    if known.ndim != 1 or not known.size or len(np.unique(known)) != known.size:
        raise SettingError(f"labels must name each class once, in one dimension, got {given!r}")
    for y in ys:
        known = same_kind(known, y, "labels", "y_true")[0]
    return known


def places(y: Array, known: Array, name: str) -> Array:
    """Return the place (m,) of every label in known (K,)."""
    known, y = same_kind(known, y, "labels", name)
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known[order], y), len(known) - 1)]
    strange = known[found] != y
    if strange.any():
        row = int(strange.argmax())
        some = ", ".join(str(label) for label in known[:6]) + (", …" if len(known) > 6 else "")
        raise DataError(f"{name}[{row}] is {y[row]}, which is not among the classes {some}")
    return np.asarray(found)


def weights(sample_weight: Any, m: int) -> Array:
    """Return the weights of the examples (m,) in float64."""
    return np.ones(m) if sample_weight is None else arguments.sample_weight(sample_weight, m)


def values(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return true and predicted values (m, K) in float64."""

    def column(given: Any, name: str) -> Array:
        array = arguments.numeric(given, name)
        if array.ndim not in (1, 2) or (array.ndim == 2 and not array.shape[1]):
            raise ShapeError(f"{name} must have shape (m,) or (m, K), got {array.shape}")
        arguments.check_finite(array, name)
        # The width is stated, for reshape cannot guess it where there are no rows.
        width = array.shape[1] if array.ndim == 2 else 1
        return array.reshape(len(array), width).astype(np.float64)

    truth, guess = column(y_true, "y_true"), column(y_pred, "y_pred")
    _same_rows(truth, guess, "y_pred")
    if truth.shape != guess.shape:
        raise ShapeError(f"y_true is {truth.shape} but y_pred {guess.shape}; they must agree")
    return truth, guess


def scores(given: Any, name: str) -> Array:
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


def probabilities(given: Any) -> Array:
    """Return probabilities (m, K) whose rows add up to 1."""
    p = scores(given, "y_prob")
    if ((p < 0) | (p > 1)).any():
        row = int(((p < 0) | (p > 1)).any(axis=1).argmax())
        raise DataError(f"y_prob must lie in [0, 1], but row {row} is {p[row]}")
    wrong = np.abs(p.sum(axis=1, dtype=np.float64) - 1) > SUM
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"rows of y_prob must add up to 1, but row {row} adds up to {p[row].sum():g}"
        )
    return p


def true_places(y_true: Any, p: Array, given: Any, name: str = "y_prob") -> Array:
    """Return the column (m,) of every example's class in p (m, K).

    Without classes given, column k belongs to the k-th of those that occur; where fewer occur than
    there are columns, whole numbers 0 … K−1 name their columns themselves.
    """
    y, K = _one_column(read(y_true, "y_true"), "y_true"), p.shape[1]
    _same_rows(y, p, name)
    known = classes_of(given, y)
    numbered = y.dtype.kind in "biuf" and bool(np.isin(known, np.arange(K)).all())
    if given is None and len(known) < K and numbered:
        known = np.arange(K)
    if len(known) != K:
        raise DataError(
            f"y_true holds {len(known)} classes but {name} has {K} columns; name them all in labels"
        )
    return places(y, known, "y_true")
