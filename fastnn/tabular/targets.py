"""Targets: what users give as y, as an array and the names of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.text import plural
from fastnn._validation import arguments
from fastnn.data.tables.encoder import as_frame
from fastnn.data.tables.values import pandas
from fastnn.errors import DataError

from .frames import is_frame

__all__ = ["to_targets"]

Array = NDArray[Any]


def to_targets(y: Any) -> tuple[Array, list[str]]:
    """Return targets (m,) or (m, k) as an array, and the names of its columns.

    One that is no column of a frame has the name "", several are called y0, y1 …

    Raises
    ------
    DataError
        If targets are missing, or bytes.
    """
    if y is None:  # in scikit-learn's words, which its checks ask for
        raise DataError("fit requires y to be passed, but the target y is None")
    if is_frame(y):
        frame = as_frame(y)
        names, targets = list(frame.columns), frame.to_numpy()
    else:
        targets = _to_array(y)
        several = targets.ndim == 2
        single = str(getattr(y, "name", None) or "")
        names = [f"y{j}" for j in range(targets.shape[1])] if several else [single]
    if targets.dtype.kind == "S":
        raise DataError("y holds bytes; make them text, as by y.astype(str)")
    missing = np.asarray(pandas().isna(targets))
    if missing.any():
        rows = np.flatnonzero(missing.reshape(len(missing), -1).any(axis=1))
        raise DataError(
            f"y is missing in {plural(len(rows), 'row')}, the first is row {rows[0]}; remove "
            "those, or fill y in"
        )
    return targets, names


def _to_array(y: Any) -> Array:
    """Return targets as an array: of texts among other values as objects, which NumPy merges."""
    found = arguments.array(y, "y")
    if found.dtype.kind == "U" and isinstance(y, list | tuple):
        objects = np.array(y, object)
        if not all(isinstance(each, str) for each in objects.flat):
            return objects
    if found.dtype.kind == "O" and found.ndim == 1:  # bools and numbers are found by their dtype
        found = pandas().Series(found).infer_objects().to_numpy()
    return found
