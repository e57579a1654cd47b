"""Plans of windows: which rows each holds, and in which order, a function of seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastnn.kernels.loops.random import philox
from fastnn.kernels.opcodes import Purpose

from .rows import CheckedRows, Piece, SelectedRows

Array = np.ndarray[Any, Any]
#: Pieces of a window where the file's own allow it. With 64 of them rows that were sorted by class
#: trained as well as shuffled ones to half a point of accuracy, with 16 up to 18 points worse.
PIECES = 128
#: More of them, up to MAX_PIECES, where each still has so many bytes: disks seek between pieces.
PIECE_BYTES, MAX_PIECES = 64 * 2**10, 512


class WindowPlan(NamedTuple):
    """How the rows of an epoch are cut: into pieces, of which a window takes some.

    An epoch permutes the pieces, and the rows within each window; pieces of a run follow one
    another. Rows that fill no whole batch at the end of a window begin the next one.
    """

    bounds: Array  # (pieces + 1,) int64: piece i holds the rows bounds[i] … bounds[i + 1] − 1
    runs: Array  # (runs + 1,) int64: run j holds the pieces runs[j] … runs[j + 1] − 1
    starts: Array  # (windows + 1,) int64: window k takes the pieces starts[k] … of the order
    capacity: int  # rows of the largest window, those left over by the one before among them
    batch: int  # rows are handed on in multiples of this, but for the last ones of an epoch
    seed: int
    shuffle: bool

    @property
    def windows(self) -> int:
        """Number of windows of an epoch."""
        return len(self.starts) - 1

    def pieces(self, epoch: int, shuffle: Callable[[Array, int, int], None]) -> Array:
        """Return the order (pieces,) in which an epoch reads the pieces.

        shuffle: of a backend; fills an order by (seed, epoch).
        """
        order = np.arange(len(self.runs) - 1)
        if self.shuffle:
            shuffle(order, self.seed, epoch)
        if len(order) == len(self.bounds) - 1:  # each run is a piece
            return order
        return np.concatenate([np.arange(*self.runs[run : run + 2]) for run in order.tolist()])

    def spans(self, pieces: Array) -> list[Piece]:
        """Return the rows of pieces, those of neighbours together."""
        found: list[Piece] = []
        for piece in pieces.tolist():
            start, stop = self.bounds[piece : piece + 2].tolist()
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, stop))
        return found

    def arrange(
        self, order: Array, epoch: int, window: int, shuffle: Callable[[Array, int, int], None]
    ) -> None:
        """Fill the order (rows,) of the rows of a window in an epoch."""
        if not self.shuffle:
            order[...] = np.arange(len(order))
            return
        word = philox((window, epoch, 0, 0), (self.seed, Purpose.WINDOW << 16))[0]
        shuffle(order, word, epoch)


def plan_windows(
    rows: CheckedRows | SelectedRows, window_rows: int, batch: int, seed: int = 0,
    shuffle: bool = False,
) -> WindowPlan:  # fmt: skip
    """Return the plan of windows of up to so many rows, besides those left over by the one before.

    Pieces end where some of the file's own do, if those fit into a window; a window takes at least
    PIECES of them where they are small enough, and all windows about as many. What has to be
    decoded from its first row on and does not fit into a window is a run of several pieces.
    """
    source_rows = rows.rows(len(rows) - 1, len(rows))
    last = source_rows.stop if isinstance(source_rows, slice) else int(source_rows[-1]) + 1
    fitting = window_rows * rows.shape[1] * rows.dtype.itemsize // PIECE_BYTES
    wanted = window_rows // min(max(fitting, PIECES), MAX_PIECES)
    if rows.piece_starts is None:
        own = max(1, min(rows.piece_rows, window_rows))
        size = max(1, wanted // own) * own
        cuts = [(row, row) for row in range(0, last, size)]
    else:
        size = max(1, wanted, min(window_rows, int(np.diff(rows.piece_starts).max())))
        cuts = [(row, run) for row, run in _cut(rows.piece_starts, size) if row < last]
    bounds = np.array([rows.first_beyond(row) for row, _ in cuts] + [len(rows)])
    kept = np.diff(bounds) > 0
    bounds, own_runs = bounds[np.append(kept, True)], np.array([run for _, run in cuts])[kept]
    pieces = len(bounds) - 1
    runs = np.flatnonzero(np.concatenate([[True], np.diff(own_runs) != 0, [True]]))
    windows = -(-pieces // max(1, window_rows // size))
    starts = np.arange(windows + 1) * pieces // windows
    largest = int(np.diff(bounds).max()) * int(np.diff(starts).max())
    return WindowPlan(bounds, runs, starts, largest + batch - 1, batch, seed, shuffle)


def _cut(starts: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """Yield where pieces of up to `size` rows begin, each with where its run does.

    starts: of the file's own pieces; small ones are taken together, large ones cut into a run.
    """
    begin = starts[0] - size - 1  # of the piece that small ones may still join
    for start, stop in pairwise(starts):
        if stop - begin <= size:
            continue
        begin, parts = start, -(-(stop - start) // size)
        for part in range(parts):
            yield start + (stop - start) * part // parts, start
