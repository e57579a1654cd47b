"""Rows as a call goes over them: in memory where they lie there or fit, else read in windows."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from fastnn import row_sources
from fastnn._validation.examples import check_shape
from fastnn.kernels.csr import SparseRows

from .rows import CheckedRows, SelectedRows


def open_rows(
    X: Any, name: str, n_in: int | None, dtype: np.dtype[Any], limit: int, opened: ExitStack,
    verb: str = "fit",
) -> Any:  # fmt: skip
    """Return X as it is if it lies in memory, all its rows if they fit, or rows that are checked.

    Parameters
    ----------
    X : object
        Rows (m, n) of any kind.
    name : str
        What errors call them.
    n_in : int or None
        The number of features that is expected.
    dtype : dtype
        The network's.
    limit : int
        Bytes up to which rows of a source are loaded.
    opened : ExitStack
        Closes in the end what is opened here.
    verb : str
        The method that takes X, for messages.

    Raises
    ------
    DataError, ShapeError
        If X is nothing that has rows, or they have another number of features.
    """
    if isinstance(X, CheckedRows | SelectedRows | SparseRows):
        return X
    source = row_sources.find(X, name, verb=verb)
    if source is None:
        return X
    check_shape(source.shape, n_in, name=name)
    if source is not X:
        opened.enter_context(source)
    if source.nbytes > limit:
        return CheckedRows(source, dtype, name)
    found = np.empty(source.shape, source.dtype)
    source.read(0, len(found), found)
    return found
