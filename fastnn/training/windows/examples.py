"""Examples whose rows are read in windows: X from a source, y and weights from memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.kernels.records import Examples
from fastnn.training.prepare_data import target_dtype

from .plan import WindowPlan
from .rows import CheckedRows, Piece, SelectedRows
from .targets import BLOCK, Targets

Array = np.ndarray[Any, Any]


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

    def read(self, pieces: Sequence[Piece], X: Array, numbers: Array, places: Array) -> None:
        """Write the rows of pieces, one after another, into X (k, n), and which they are.

        numbers (k,): among these examples; places (k,): among the rows of the source.
        """
        self.X.read(pieces, X)
        done = 0
        for start, stop in pieces:
            part = slice(done, done + stop - start)
            rows = self.X.rows(start, stop)
            numbers[part] = np.arange(start, stop)
            places[part] = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
            done = part.stop

    def encode(self, places: Array, Y: Array, w: Array) -> None:
        """Write targets Y (k, K) and weights w (k,) of the rows at these places of the source."""
        for i in range(0, len(places) if self.targets is not None else 0, BLOCK):
            assert self.targets is not None
            rows, part = places[i : i + BLOCK], slice(i, i + BLOCK)
            Y[part] = self.targets.encode(rows)
            if self.targets.weighted:
                w[part] = self.targets.weights(rows, Y[part])

    def row_bytes(self) -> int:
        """Return the bytes of an example in a window."""
        K, size = (self.targets.K, self.targets.dtype.itemsize) if self.targets else (0, 4)
        return self.shape[1] * self.X.dtype.itemsize + (K + 1) * size + 32

    def parts(self) -> Iterator[tuple[Array, Array]]:
        """Yield targets Y (k, K) and weights w (k,) of all examples, in order; X is not read."""
        assert self.targets is not None
        for start in range(0, self.shape[0], BLOCK):
            rows = self.X.rows(start, min(start + BLOCK, self.shape[0]))
            Y = self.targets.encode(rows)
            yield Y, self.targets.weights(rows, Y)

    def load(self) -> Examples:
        """Return all examples in memory."""
        assert self.targets is not None
        X, w = np.empty(self.shape, self.X.dtype), np.ones(self.shape[0], self.targets.dtype)
        Y = np.empty((self.shape[0], self.targets.K), target_dtype(self.targets.state))
        numbers, places = np.empty((2, self.shape[0]), np.int64)
        self.read([(0, self.shape[0])], X, numbers, places)
        self.encode(places, Y, w)
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
