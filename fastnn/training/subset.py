"""Subsets: rows of an array that are copied only while somebody needs them side by side."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from fastnn.kernels.records import Examples

__all__ = ["Subset", "copied"]

Array = np.ndarray[Any, Any]
#: Bytes of rows up to which they are copied for a fit rather than read where they lie.
MOST_COPIED = 2**24


class Subset:
    """The rows X[rows], in this order.

    Parameters
    ----------
    X : array (m, n) or SparseRows
    rows : array (k,) of int64
        From 0 to m − 1; a row may be named more than once.
    """

    def __init__(self, X: Any, rows: Array) -> None:
        self.X, self.rows = X, rows
        self._copy: weakref.ref[Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """(k, n)."""
        return len(self.rows), self.X.shape[1]

    def __getitem__(self, places: slice) -> Any:
        """Return a copy of the rows in these places."""
        return self.X.take(self.rows[places], axis=0)

    def copied(self) -> Any:
        """Return all rows as an array of their own, the same one while somebody holds it."""
        found = None if self._copy is None else self._copy()
        if found is None:
            found = self[:]
            self._copy = weakref.ref(found)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of a copy; of sparse rows those of a copy that is not sparse."""
        k, n = self.shape
        return int(k * n * self.X.dtype.itemsize)

    @property
    def is_read_in_place(self) -> bool:
        """Whether its rows are too many to be copied, and lie as those of a copy would."""
        X = self.X
        if not isinstance(X, np.ndarray) or not X.flags.c_contiguous or len(self) > len(X):
            return False
        return self.nbytes > MOST_COPIED


def copied(examples: Examples) -> Examples:
    """Return examples whose rows are an array: a copy of those of a subset."""
    X = examples.X
    return examples._replace(X=X.copied()) if isinstance(X, Subset) else examples
