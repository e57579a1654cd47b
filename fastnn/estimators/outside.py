"""Rows outside memory: X larger than a window, which networks read from where it lies."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, NoReturn

import numpy as np
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_y,
    check_consistent_length,
)

from fastnn import row_sources
from fastnn.training.windows.size import DEFAULT

from ..errors import SettingError

#: Bytes of X up to which it is loaded, and checked by scikit-learn as an array is.
WINDOW = DEFAULT


class OutsideRows:
    """X (m, n) as `given`, and what scikit-learn's checks ask of it; its rows stay outside."""

    def __init__(self, given: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.given, self.shape, self.dtype, self.ndim = given, shape, dtype, 2

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: Any) -> NoReturn:
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say what takes X in memory."""
        raise SettingError(
            "X is larger than a window and read from where it lies, which early_stopping without "
            "X_val and y_val, scale='robust' and n_networks cannot do; leave them out, or read X "
            "into memory"
        )


def outside_rows(estimator: Any, X: Any, reset: bool, verb: str = "fit") -> OutsideRows | None:
    """Return X as rows outside memory, of the features of an estimator; None where it is loaded.

    verb: the method that takes X, for messages.

    Raises
    ------
    DataError
        If X holds no real numbers, or cannot be opened.
    ValueError
        If it has not the features of an earlier fit.
    """
    if isinstance(X, np.ndarray | list | tuple):
        return None
    source = row_sources.find(X, verb=verb)
    if source is None:
        return None
    with nullcontext() if source is X else source:
        rows = OutsideRows(X, source.shape, source.dtype)
        if source is not X and source.nbytes <= WINDOW:
            return None
    _check_feature_names(estimator, rows, reset=reset)
    _check_n_features(estimator, rows, reset=reset)
    return rows


def outside_targets(estimator: Any, rows: OutsideRows, y: Any, numeric: bool) -> Any:
    """Return y, as scikit-learn checks it, for rows outside memory that train."""
    if estimator.n_networks != 1 or estimator.scale == "robust":
        rows.refuse()
    y = _check_y(y, multi_output=True, y_numeric=numeric, estimator=estimator)
    check_consistent_length(rows, y)
    return y
