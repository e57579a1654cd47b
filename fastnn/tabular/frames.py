"""Frames: what users give as X, as a frame whose columns an encoder finds by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    validate_data,
)

from fastnn._validation import arguments
from fastnn.data.tables import TableEncoder
from fastnn.data.tables.encoder import as_frame, missing_column
from fastnn.errors import DataError, SettingError
from fastnn.estimators.inputs import to_sklearn_input

__all__ = ["encode", "features", "is_frame", "learn_encoder", "to_frame"]

Array = np.ndarray[Any, Any]


def is_frame(X: Any) -> bool:
    """Whether X has named columns."""
    named = hasattr(X, "columns") or hasattr(X, "to_pandas") or isinstance(X, Mapping)
    return named and not issparse(X)  # one kind of which is a mapping


def to_frame(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return X as a DataFrame; `reset` in a fit, which notes the names and number of columns.

    Columns of an array are called x0, x1 …; one given where a frame was fitted has the columns of
    that frame in their order, as scikit-learn's warning about it says.

    Raises
    ------
    ValueError
        If X is no table, or has another number of columns where they have no names.
    """
    if X is None or isinstance(X, str | os.PathLike):
        raise DataError(
            f"X must be a frame or an array (m, n), got {X!r:.60}; read a file first, as by "
            "pandas.read_csv"
        )
    if is_frame(X):
        frame = as_frame(X)
        if not (len(frame) or reset):
            raise DataError("X has no rows; give at least one")
        if reset:
            _note_columns(estimator, X, frame)
        elif not estimator._named:
            _check_feature_names(estimator, frame, reset=False)
            _check_n_features(estimator, frame, reset=False)
            frame = frame.set_axis(estimator._names, axis=1)
        return frame
    given = validate_data(
        estimator, to_sklearn_input(X), dtype=None, ensure_all_finite=False, reset=reset
    )
    frame = as_frame(given)
    if reset:
        estimator._names, estimator._named = list(frame.columns), False
    return frame.set_axis(estimator._names, axis=1)


def _note_columns(estimator: Any, X: Any, frame: Any) -> None:
    """Note the columns of a frame that is fitted."""
    estimator._names, estimator._named = list(frame.columns), True
    texts = all(isinstance(name, str) for name in getattr(X, "columns", frame.columns))
    _check_feature_names(estimator, frame if texts else frame.to_numpy(), reset=True)
    _check_n_features(estimator, frame, reset=True)


def learn_encoder(frame: Any, categorical: Any, named: bool) -> TableEncoder:
    """Return the encoder of the columns of a frame of training rows.

    Raises
    ------
    SettingError
        If `categorical` is neither "auto" nor a list of columns.
    DataError
        If a column holds what cannot be learnt from, or none can.
    """
    names = categorical
    if isinstance(categorical, str):
        if categorical != "auto":
            raise SettingError(
                f"categorical must be 'auto' or a list of columns, got {categorical!r}; "
                f"write categorical=[{categorical!r}]"
            )
        names = ()
    example = "['postcode'], or [3] for the fourth column"
    chosen = [
        _name(each, frame.columns) for each in arguments.as_list(names, "categorical", example)
    ]
    # What merely counts the rows of an array is more often a time than a number of a row.
    return TableEncoder(categories=chosen, drop_identifiers=named).fit(frame)


def _name(column: Any, names: Sequence[str]) -> str:
    """Return the name of a column that is given by name or, where none is called so, by place."""
    if str(column) in names:
        return str(column)
    if isinstance(column, int | np.integer) and not isinstance(column, bool):
        place = arguments.integer(int(column), "a column of categorical", below=len(names))
        return str(list(names)[place])
    raise DataError(f"categorical names {missing_column(str(column), names)}")


def encode(estimator: Any, X: Any) -> Array:
    """Return the features (m, n) of rows X for a fitted estimator."""
    frame, found = to_frame(estimator, X, reset=False), []
    for each in estimator._statistics:
        if each.name not in frame.columns:
            raise DataError(f"the table has {missing_column(each.name, frame.columns)}")
        found.append(each.encode(frame[each.name]))
    return features(frame, estimator.encoder_, *found)


def features(frame: Any, encoder: TableEncoder, *statistics: Array) -> Array:
    """Return the features (m, n) of a frame, beside them those of its target statistics (m, k)."""
    rows: Array = encoder.transform(frame)
    if not any(each.shape[1] for each in statistics):
        return rows
    return np.hstack([rows, *(each.astype(rows.dtype) for each in statistics)])
