"""Mini-batches: the rows of X and y in a new random order each epoch, cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._validation import arguments

__all__ = ["minibatches"]


def minibatches(
    X: ArrayLike,
    y: ArrayLike,
    batch_size: int | None = 64,
    *,
    shuffle: bool = True,
    seed: int = 0,
    epoch: int = 0,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Go once through the examples in mini-batches.

    The order is a function of `seed` and `epoch` alone: pass the epoch's number to have a new
    order each time that can be had again.

    Parameters
    ----------
    X : array_like, (m, …)
        The examples.
    y : array_like, (m,) or (m, K)
        Their labels or targets.
    batch_size : int or None, default 64
        Rows in a batch; the last batch is shorter if m is not a multiple. None: all rows.
    shuffle : bool, default True
        Without it the rows keep their order and the batches are views.
    seed, epoch : int, default 0
        What the order depends on; not negative.

    Yields
    ------
    X_batch, y_batch : ndarrays, (batch_size, …)
        Every row occurs exactly once.

    Raises
    ------
    ShapeError
        If X and y differ in length; like the others, at the call, not at the first batch.
    SettingError
        If `batch_size` is below 1, or `seed` or `epoch` is negative.
    """
    X, y = arguments.array(X, "X"), arguments.array(y, "y")
    m = arguments.check_same_length(X, y)
    size = max(m, 1) if batch_size is None else arguments.integer(batch_size, "batch_size", least=1)
    key = [arguments.integer(seed, "seed"), arguments.integer(epoch, "epoch")]
    order = np.random.default_rng(key).permutation(m) if shuffle else None
    return _batches(X, y, size, order)


def _batches(
    X: NDArray[Any], y: NDArray[Any], size: int, order: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield X (size, …), y (size, …) along `order` (m,), or as views in the rows' own order."""
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        yield (X[rows], y[rows]) if order is None else (X[order[rows]], y[order[rows]])
