"""Examples whose rows are read in windows: X from a source, y and weights from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

    def locate(self, pieces: Sequence[Piece], numbers: Array, places: Array) -> None:
        """Write which rows those of pieces are, one after another; nothing is read.

        numbers (k,): among these examples; places (k,): among the rows of the source.
        """
        done = 0
        for start, stop in pieces:
            part = slice(done, done + stop - start)
            rows = self.X.rows(start, stop)
            numbers[part] = np.arange(start, stop)
            places[part] = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
            done = part.stop

    def encode(self, places: Array, own: slice | Array, Y: Array, w: Array) -> None:
        """Write targets Y (k, K) and weights w (k,) of rows at these places (k,) of the source.

        own: which of them, the only ones that are written unless there are weights to sum up.
        """
        if self.targets is None:
            return
        chosen = np.arange(len(places)) if self.targets.weighted else np.arange(len(places))[own]
        for i in range(0, len(chosen), BLOCK):
            part = chosen[i : i + BLOCK]
            Y_part = self.targets.encode(places[part])
            Y[part] = Y_part
            if self.targets.weighted:
                w[part] = self.targets.weights(places[part], Y_part)

    def take(self, pieces: Sequence[Piece]) -> Examples:
        """Return the examples of pieces, one after another, in memory."""
        assert self.targets is not None
        k = sum(stop - start for start, stop in pieces)
        X, w = np.empty((k, self.shape[1]), self.X.dtype), np.ones(k, self.targets.dtype)
        Y = np.empty((k, self.targets.K), target_dtype(self.targets.state))
        places = np.empty(k, np.int64)
        self.X.read(pieces, X)
        self.locate(pieces, np.empty_like(places), places)
        self.encode(places, slice(None), Y, w)
        return Examples(X, Y, w)

    def row_bytes(self) -> int:
        """Return the bytes of an example in a window."""
        K, size = (self.targets.K, self.targets.dtype.itemsize) if self.targets else (0, 4)
        return self.shape[1] * self.X.dtype.itemsize + (K + 1) * size + 32

    def describe(self, digest: Callable[..., str]) -> str:
        """Return what ranks compare: the plan, all but most of X, of which a few rows are read."""
        X, m, plan = self.X, self.shape[0], self.plan
        rows = [np.empty((1, self.shape[1]), X.dtype) for _ in range(0, m, max(1, m // 16))]
        for row, i in zip(rows, range(0, m, max(1, m // 16)), strict=True):
            X.read([(i, i + 1)], row)
        cuts = () if plan is None else (plan.bounds, plan.starts)
        found = digest(*rows, *cuts, *(part for parts in self.parts() for part in parts))
        windows = "" if plan is None else f", in {plan.windows} windows"
        return f"{m} × {self.shape[1]} of {X.dtype}{windows} (digest {found})"

    def parts(self) -> Iterator[tuple[Array, Array]]:
        """Yield targets Y (k, K) and weights w (k,) of all examples, in order; X is not read."""
        assert self.targets is not None
        for start in range(0, self.shape[0], BLOCK):
            rows = self.X.rows(start, min(start + BLOCK, self.shape[0]))
            Y = self.targets.encode(rows)
            yield Y, self.targets.weights(rows, Y)

    def load(self) -> Examples:
        """Return all examples in memory."""
        return self.take([(0, self.shape[0])])

    def total_weight(self) -> float:
        """Return the sum of the weights, those of classes apart."""
        assert self.targets is not None
        rows = self.X.rows(0, self.shape[0])
        return float(self.targets.plain(rows).astype(np.float64).sum())

    def has_weight(self) -> bool:
        """Return whether an example has a weight that is not 0."""
        weighted = self.targets is not None and self.targets.weighted
        return not weighted or any(w.any() for _, w in self.parts())
