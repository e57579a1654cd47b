"""Labels of what is drawn: one for each example, and of the kind that a model answers with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._validation.label_kinds import check_same_kind, read_labels
from fastnn.errors import ShapeError


def check_labels(y: ArrayLike, m: int) -> NDArray[Any]:
    """Check labels and bring them to (m,)."""
    array = np.asarray(y)
    if array.ndim == 2 and len(array) == m and array.shape[1] > 1:
        array = array.argmax(axis=1)
    if array.shape not in {(m,), (m, 1)}:
        raise ShapeError(
            f"y must have shape ({m},), ({m}, 1) or ({m}, K), one row for each of X, "
            f"got {array.shape}"
        )
    return array.reshape(m)


def comparable_labels(y: NDArray[Any], regions: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return labels and the model's answers as numbers, or as text, whatever holds them."""
    if all(labels.dtype.kind in "biuf" for labels in (y, regions)):
        return y, regions
    return check_same_kind(
        read_labels(y, "y"), read_labels(regions, "the answer"), "y", "the model's answer"
    )
