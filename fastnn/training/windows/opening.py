"""Rows as a call goes over them: in memory where they lie there or fit, else read in windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from fastnn import row_sources
from fastnn._validation import arguments
from fastnn._validation.examples import check_shape
from fastnn.kernels.csr import SparseRows

from .rows import CheckedRows, SelectedRows
from .size import window_bytes

Array = np.ndarray[Any, Any]


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


@contextmanager
def opened_rows(
    X: Any, n_in: int, dtype: np.dtype[Any], layer: str, window: Any, verb: str
) -> Iterator[Any]:
    """Give rows X (m, n_in) as `open_rows` does, of a shape that a trained network takes.

    layer: who takes them, for messages; window: bytes of rows that are held at a time, or a text.
    """
    with ExitStack() as sources:
        limit = window_bytes(window)
        rows = open_rows(X, "X", n_in, dtype, limit, sources, verb)
        if isinstance(rows, CheckedRows):
            rows.scan_bytes = min(rows.scan_bytes, limit)
        read = isinstance(rows, CheckedRows | SelectedRows)
        yield rows if read else arguments.examples(rows, n_in, layer)


def outputs_of(
    rows: Any, predict: Callable[[Any, Array], None], K: int, dtype: np.dtype[Any]
) -> Array:
    """Return outputs (m, K) of rows that `opened_rows` gave; predict(X, out) writes some."""
    out = np.empty((rows.shape[0], K), dtype)
    if isinstance(rows, CheckedRows | SelectedRows):
        from .scan import fill_outputs  # what is read needs it

        fill_outputs(rows, predict, out)
    else:
        predict(rows, out)
    return out
