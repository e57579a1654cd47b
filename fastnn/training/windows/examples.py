"""Examples whose rows are read in windows: X from a source, y and weights from memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.kernels.records import Examples

from .plan import WindowPlan
from .rows import CheckedRows, SelectedRows
from .targets import Targets

Array = np.ndarray[Any, Any]
Pieces = Sequence[tuple[int, int]]  # of each the first row, and the first that it does not hold


class StreamedExamples:
    """Examples that a window holds some of.

    Attributes
    ----------
    plan : WindowPlan or None
        Of a fit that trains on them: which rows a window of an epoch holds.

    Parameters
    ----------
    X : CheckedRows or SelectedRows
        Their rows (m, n).
    targets : Targets, optional
        Of all rows of the source; None where rows are read alone.
    """

    def __init__(self, X: CheckedRows | SelectedRows, targets: Targets | None = None) -> None:
        self.X, self.targets, self.shape = X, targets, X.shape
        self.plan: WindowPlan | None = None

    def read(self, pieces: Pieces, X: Array, Y: Array, w: Array) -> None:
        """Write the examples of pieces, one after another, into X (k, n), Y (k, K) and w (k,)."""
        self.X.read_pieces(pieces, X)
        if self.targets is None:
            return
        n = 0
        for start, stop in pieces:
            rows, part = self.X.rows(start, stop), slice(n, n + stop - start)
            Y[part] = self.targets.encode(rows)
            if self.targets.weighted:
                w[part] = self.targets.weights(rows, Y[part])
            n = part.stop

    def row_bytes(self) -> int:
        """Return the bytes of an example in a window."""
        K, size = (self.targets.K, self.targets.dtype.itemsize) if self.targets else (0, 4)
        return self.shape[1] * self.X.dtype.itemsize + (K + 1) * size + 24

    def parts(self, step: int = 2**16) -> Iterator[tuple[Array, Array]]:
        """Yield targets Y (k, K) and weights w (k,) of all examples, in order; X is not read."""
        assert self.targets is not None
        for start in range(0, self.shape[0], step):
            rows = self.X.rows(start, min(start + step, self.shape[0]))
            Y = self.targets.encode(rows)
            yield Y, self.targets.weights(rows, Y)

    def load(self) -> Examples:
        """Return all examples in memory."""
        assert self.targets is not None
        X, w = np.empty(self.shape, self.X.dtype), np.ones(self.shape[0], self.targets.dtype)
        Y = np.empty((self.shape[0], self.targets.K), self.targets.dtype)
        self.read([(0, self.shape[0])], X, Y, w)
        return Examples(X, Y, w)

    def total_weight(self) -> float:
        """Return the sum of the weights, those of classes apart."""
        assert self.targets is not None
        rows = self.X.rows(0, self.shape[0])
        return float(self.targets.plain(rows).astype(np.float64).sum())

    def has_weight(self) -> bool:
        """Return whether an example has a weight that is not 0."""
        weighted = self.targets is not None and self.targets.weighted
        return not weighted or any(w.any() for _, w in self.parts())
