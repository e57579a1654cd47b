"""Targets of rows that are read in windows: kept as they were given, expanded some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import FastnnError
from fastnn.training.class_weights import ClassWeights, labels_of
from fastnn.training.prepare_data import check_weights, targets_of
from fastnn.training.state import NetworkState

Array = np.ndarray[Any, Any]
Rows = slice | Array
BLOCK = 2**16  # rows that are looked at together


class Targets:
    """y and the weights of m examples: looked at once, then expanded for the rows of a window.

    Parameters
    ----------
    y : array
        As `Network.fit` takes it.
    weights : (sample_weight, class_weight)
        As `Network.fit` takes them.
    m : int
        Examples.
    state : NetworkState
        The network that learns them; where it learns their scaling first, targets are y's numbers
        until then.

    Attributes
    ----------
    labels : ndarray (m,) or None
        The class of each example, in as few bytes as tell the classes apart; None where examples
        have no single class.
    """

    def __init__(self, y: Any, weights: tuple[Any, Any], m: int, state: NetworkState) -> None:
        self.y, self.m, self.state = arguments.numeric(y, "y"), m, state
        self.K, self.loss, self.dtype = K, loss, _ = state.outputs, state.loss, state.dtype
        if self.y.ndim == 0 or len(self.y) != m:
            loss.check_targets(self.y, m, K)  # which says what is wrong
        own, given = weights
        self._own = None if own is None else arguments.sample_weight(own, m)
        self._classes = None if given is None else ClassWeights(given, loss, K)
        self.labels = self._survey()
        if self.weighted:
            self._check_weights()

    @property
    def weighted(self) -> bool:
        """Whether not all weights are 1."""
        return self._own is not None or self._classes is not None

    def _blocks(self) -> Iterator[slice]:
        """Yield the rows, BLOCK at a time."""
        for start in range(0, self.m, BLOCK):
            yield slice(start, min(start + BLOCK, self.m))

    def _survey(self) -> Array | None:
        """Check all targets, count the classes, and return the labels, where there are any."""
        labels: Array | None = np.empty(self.m, np.min_scalar_type(max(self.K, 2) - 1))
        for rows in self._blocks():
            try:
                Y = self.encode(rows)
            except FastnnError:
                targets_of(self.state, self.y, self.m)  # tells its row
                raise
            if self._classes is not None:
                self._classes.count(Y, self._plain(rows), rows.start)
            found = labels_of(Y, self.loss)
            if found is None:
                labels = None
            elif labels is not None:
                labels[rows] = found
        return labels

    def _check_weights(self) -> None:
        """Refuse weights that leave the dtype, of which none counts or whose sum is infinite."""
        counts, total = False, 0.0
        for rows in self._blocks():
            w = self._weights(rows, self.encode(rows))
            arguments.check_representable(w, self.dtype, "sample_weight times class_weight")
            counts = counts or bool(w.astype(self.dtype).any())
            with np.errstate(over="ignore"):
                total += float(w.astype(self.dtype).sum(dtype=np.float64))
        check_weights(counts, total, self.dtype)

    def encode(self, rows: Rows) -> Array:
        """Return the targets Y (k, K) of some rows."""
        part = self.y[rows]
        return targets_of(self.state, part, len(part))

    def _plain(self, rows: Rows) -> Array:
        """Return the weights (k,) of some rows in float64, without those of their classes."""
        if self._own is not None:
            return self._own[rows]
        return np.ones(rows.stop - rows.start if isinstance(rows, slice) else len(rows))

    def _weights(self, rows: Rows, Y: Array) -> Array:
        """Return the weights (k,) of some rows in float64; Y (k, K): their targets."""
        w = self._plain(rows)
        return w if self._classes is None else w * self._classes.of(Y)

    def weights(self, rows: Rows, Y: Array) -> Array:
        """Return the weights (k,) of some rows in the network's dtype; Y (k, K): their targets."""
        return self._weights(rows, Y).astype(self.dtype)

    def plain(self, rows: Rows) -> Array:
        """Return the weights (k,) of some rows without those of their classes, in that dtype."""
        return self._plain(rows).astype(self.dtype)
