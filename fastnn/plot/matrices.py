"""Confusion matrices: which classes were taken for which, as a table of colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import metrics
from fastnn.errors import DataError, SettingError, ShapeError
from fastnn.metrics._inputs import class_labels, comparable_labels

from ._canvas import axes_or_new
from ._classes import check_labels
from ._classifiers import is_model, known_classes
from ._text import fitting_font_size, format_number, format_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Classes up to which every cell shows its number.
MAX_WRITTEN_CLASSES = 20
#: Digits that fit into a cell at the usual font size.
CELL_DIGITS = 5


def confusion_matrix(
    y_true: Any,
    y_pred: Any = None,
    y: ArrayLike | None = None,
    *,
    classes: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many examples of each class (row) were taken for which class (column).

    Colours are shares of the row, so that rare classes count as much as frequent ones; right
    answers lie on the diagonal. The title says the share of all that is right.

    Parameters
    ----------
    y_true, y_pred : array (m,)
        Labels; or y_true alone, a matrix (K, K) of counts from `metrics.confusion_matrix`; or
        three things: a network or another classifier, rows X (m, n), and their labels y.
    y : array (m,), (m, 1) or (m, K), optional
        Labels or one-hot rows, where a classifier was given.
    classes : sequence (K,), optional
        Names of the classes, in the order of the sorted labels.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes, the first class at the top left.

    Raises
    ------
    ShapeError, DataError
        If the matrix is not square or holds negative or no counts; as `metrics.confusion_matrix`.
    SettingError
        If there is another number of names than of classes, or a classifier without X and y.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], classes=["cat", "dog"])
    >>> ax.get_title()
    '75.0 % of 4 are right'
    """
    matrix, found = _matrix(y_true, y_pred, y)
    names = [str(name) for name in (found if classes is None else classes)]
    if len(names) != len(matrix):
        raise SettingError(f"classes has {len(names)} names for {len(matrix)} classes")
    total, size = matrix.sum(), 3.0 + 0.45 * min(len(names), 16)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-300)
    ax = axes_or_new(ax, (size + 0.9, size))
    picture = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    letters = fitting_font_size(map(format_number, matrix.flat), CELL_DIGITS)
    if len(names) <= MAX_WRITTEN_CLASSES:
        for i, j in np.ndindex(matrix.shape):
            if matrix[i, j]:
                shade = "white" if shares[i, j] > 0.55 else "black"
                text = format_number(matrix[i, j])
                ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=letters)
    long = max(map(len, names)) > 3
    ax.set_xticks(
        range(len(names)), names, rotation=45 if long else 0, ha="right" if long else "center",
        parse_math=False,
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    ax.set_title(f"{format_percent(np.trace(matrix) / total)} of {format_number(total)} are right")
    ax.figure.colorbar(picture, ax=ax, label="share of the row", fraction=0.046, pad=0.04)
    return ax


def _matrix(y_true: Any, y_pred: Any, y: Any) -> tuple[NDArray[Any], Sequence[Any]]:
    """Return counts (K, K) and the classes they belong to."""
    if is_model(y_true) or y is not None:
        return _matrix_of(y_true, y_pred, y)
    if y_pred is not None:
        known = class_labels(None, *comparable_labels(y_true, y_pred))
        return metrics.confusion_matrix(y_true, y_pred, labels=known), known.tolist()
    matrix = np.asarray(y_true)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ShapeError(
            f"a confusion matrix must have shape (K, K), got {matrix.shape}; give y_pred too if "
            "these are labels"
        )
    if matrix.dtype.kind not in "iuf" or not (matrix >= 0).all() or not 0 < matrix.sum() < np.inf:
        raise DataError("a confusion matrix must hold counts, not negative and not all zero")
    return matrix, range(len(matrix))


def _matrix_of(model: Any, X: Any, y: Any) -> tuple[NDArray[Any], Sequence[Any]]:
    """Return counts (K, K) of what a classifier takes rows X for, and its classes."""
    if not is_model(model) or y is None:
        raise SettingError(
            "confusion_matrix takes y_true and y_pred, or a classifier, X and y; got "
            f"{type(model).__name__} {'with' if y is not None else 'without'} y"
        )
    predicted = model.predict(X)
    true, known = check_labels(y, len(predicted)), known_classes(model)
    if known is None:
        return _matrix(true, predicted, None)
    return metrics.confusion_matrix(true, predicted, labels=known), np.asarray(known).tolist()
