"""Labels: the rule that they number the classes from 0 on, and labels as one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn._validation import arguments
from fastnn._validation.label_kinds import read_labels
from fastnn.errors import DataError, SettingError, ShapeError

__all__ = ["one_hot"]


def one_hot(
    y: ArrayLike,
    classes: int | Sequence[str] | NDArray[Any] | None = None,
    dtype: DTypeLike = "float32",
) -> NDArray[Any]:
    """Turn labels into one-hot rows.

    Parameters
    ----------
    y : array_like, (m,), (m, 1) or (1, m)
        Labels 0, 1, …, K − 1; floats are taken if they are whole.
    classes : int or names (K,), optional
        K, or the classes' names in a list, an array or a column of a table. Without it K is the
        largest label + 1, so state it where the rarest class may be absent.
    dtype : dtype, default "float32"
        A numeric or boolean dtype.

    Returns
    -------
    ndarray, (m, K)
        Row i is 1 in column y[i] and 0 elsewhere.

    Raises
    ------
    ShapeError
        If y is neither (m,) nor a single row or column.
    DataError
        If a label is negative, not whole, or not below K; the message names its row.
    SettingError
        If `classes` is not positive or `dtype` is not numeric.
    """
    labels = np.asarray(y)
    if labels.dtype.kind == "O":  # numbers in a column of objects are numbers
        labels = read_labels(y, "y")
    if labels.ndim == 2 and 1 in labels.shape:
        labels = labels.reshape(-1)
    if labels.ndim != 1:
        raise ShapeError(
            f"y must hold one label per example, (m,), got shape {labels.shape}; "
            f"is it one-hot already?"
        )
    kind = np.dtype(dtype)
    if kind.kind not in "biuf":
        raise SettingError(f"dtype must be numeric, got {kind}")
    whole = _whole_labels(labels)
    K = _class_count(whole, classes)
    _check_below(whole, K)
    rows = np.zeros((len(whole), K), kind)
    rows[np.arange(len(whole)), whole] = 1
    return rows


def class_labels(y: ArrayLike, K: int) -> NDArray[np.int64]:
    """Return y (m,) as int64 with 0 ≤ y < K; whole floats and bool are taken.

    Raises
    ------
    ShapeError
        If y has another shape than (m,).
    DataError
        If a label is not such a number; the message names its row.
    """
    labels = np.asarray(y)
    if labels.ndim != 1:
        hint = "; pass y.ravel()" if max(labels.shape, default=0) == labels.size else ""
        raise ShapeError(f"y must hold one label per example, (m,), got shape {labels.shape}{hint}")
    whole = _whole_labels(labels)
    _check_below(whole, K)
    return whole


def _check_below(labels: NDArray[np.int64], K: int) -> None:
    """Refuse labels (m,) from K on; name the first."""
    outside = np.flatnonzero(labels >= K)
    if outside.size:
        row = outside[0]
        raise DataError(
            f"y has the label {labels[row]} in row {row}, but there are {K} classes, whose labels "
            f"are 0 to {K - 1}"
            if K
            else f"y has the label {labels[row]} in row {row}, but no class is named"
        )


def _whole_labels(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return y (m,) as int64 ≥ 0, or name the first row that is not such a number."""
    if labels.size and labels.dtype.kind not in "biuf":
        raise DataError(
            f"y must hold whole numbers 0, 1, 2 …, got dtype {labels.dtype}; number the classes, "
            f"for example with np.unique(y, return_inverse=True)"
        )
    for wrong, what in (
        (labels != np.floor(labels), "not whole"),
        (labels < 0, "negative"),
        (labels >= 2**31, "too large for a class"),  # infinity too
    ):
        rows = np.flatnonzero(wrong)
        if rows.size:
            raise DataError(
                f"y has the label {labels[rows[0]]} in row {rows[0]}, which is {what}; "
                f"labels are 0, 1, 2 …"
            )
    return labels.astype(np.int64, copy=False)


def _class_count(
    labels: NDArray[np.int64], classes: int | Sequence[str] | NDArray[Any] | None
) -> int:
    """Return K from a number, from names, or from the labels (m,)."""
    if classes is None:
        if not labels.size:
            raise DataError("y is empty, so the number of classes is unknown; pass classes=")
        return int(labels.max()) + 1
    try:
        names = np.asarray(classes)
    except ValueError:
        raise SettingError("classes must be a number or names (K,), got rows of names") from None
    if names.ndim == 1:
        return arguments.integer(len(names), "the number of classes", least=1)
    if names.ndim > 1:
        raise SettingError(f"classes must be a number or names (K,), got shape {names.shape}")
    return arguments.integer(classes, "classes", least=1)
