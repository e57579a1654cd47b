"""Plans of windows: which rows each holds, and in which order, a function of seed and epoch.

The pieces of an epoch, in their order, give its rows *positions* 0 … m − 1, which windows cut at
whole batches. Where batches have shards, a window is cut once more into as many sections, one
behind another: each batch takes its part of a shard from the section of that shard, so that a
process reads the sections of its own shards alone. Sections depend on the number of shards, not on
that of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastnn.kernels.loops.random import philox
from fastnn.kernels.opcodes import Purpose
from fastnn.kernels.partition import static_partition

from .rows import CheckedRows, Piece, SelectedRows

Array = np.ndarray[Any, Any]
Shuffle = Callable[[Array, int, int], None]
#: Pieces of a window where the file's own allow it. With 64 of them rows that were sorted by class
#: trained as well as shuffled ones to half a point of accuracy, with 16 up to 18 points worse.
PIECES = 128
#: More of them, up to MAX_PIECES, where each still has so many bytes: disks seek between pieces.
PIECE_BYTES, MAX_PIECES = 64 * 2**10, 512


def stretches(chosen: slice | Array, gap: int) -> list[Piece]:
    """Return first and end of stretches of rising indices that are at most `gap` apart."""
    if isinstance(chosen, slice):
        return [(chosen.start, chosen.stop)]
    if not len(chosen):
        return []
    ends = np.flatnonzero(np.diff(chosen) > gap)
    first, last = (chosen[np.concatenate(part)] for part in (([0], ends + 1), (ends, [-1])))
    return list(zip(first.tolist(), (last + 1).tolist(), strict=True))


class WindowPlan(NamedTuple):
    """How the rows of an epoch are cut: into pieces, of which a window takes some.

    An epoch permutes the pieces, and the rows within each section of a window; pieces of a run
    follow one another. Rows that fill no whole batch at the end of a window begin the next one.
    """

    bounds: Array  # (pieces + 1,) int64: piece i holds the rows bounds[i] … bounds[i + 1] − 1
    runs: Array  # (runs + 1,) int64: run j holds the pieces runs[j] … runs[j + 1] − 1
    starts: Array  # (windows + 1,) int64: window k takes the pieces starts[k] … of the order
    capacity: int  # rows of the largest window, those left over by the one before among them
    batch: int  # rows are handed on in multiples of this, but for the last ones of an epoch
    seed: int
    shuffle: bool
    shards: int = 1  # parts of a batch
    own: tuple[int, int] = (0, 1)  # the first of the shards whose rows are read, and the end

    @property
    def windows(self) -> int:
        """Number of windows of an epoch."""
        return len(self.starts) - 1

    @property
    def owns_all(self) -> bool:
        """Whether all rows are read, not those of some shards alone."""
        return self.own == (0, self.shards)

    def epoch(self, epoch: int, shuffle: Shuffle) -> EpochPlan:
        """Return the plan of an epoch; shuffle: of a backend, fills an order by (seed, epoch)."""
        order = np.arange(len(self.runs) - 1)
        if self.shuffle:
            shuffle(order, self.seed, epoch)
        if len(order) < len(self.bounds) - 1:  # else each run is a piece
            parts = [np.arange(*self.runs[run : run + 2]) for run in order.tolist()]
            order = np.concatenate(parts)
        sizes = np.diff(self.bounds)[order]
        return EpochPlan(self, epoch, order, np.concatenate([[0], np.cumsum(sizes)]), shuffle)

    def parts(self, rows: int) -> Iterator[tuple[slice, slice, slice]]:
        """Yield for each shard its section of a window of so many rows, and its parts of batches.

        Those are a slice of every whole batch, and one of the rows beyond the last whole batch.
        """
        full, rest = divmod(rows, self.batch)
        begin = 0
        for shard in range(self.shards):
            whole, short = (
                slice(*static_partition(n, shard, self.shards)) for n in (self.batch, rest)
            )
            end = begin + full * (whole.stop - whole.start) + short.stop - short.start
            yield slice(begin, end), whole, short
            begin = end

    def own_rows(self, rows: int) -> slice | Array:
        """Return which rows of a window of so many belong to this process's shards."""
        if self.owns_all:
            return slice(0, rows)
        first, end = self.own
        parts = list(self.parts(rows))[first:end]
        if self.shuffle:
            return slice(parts[0][0].start, parts[-1][0].stop)
        chosen = np.zeros(rows, bool)
        full = rows // self.batch * self.batch
        for _, whole, short in parts:
            chosen[:full].reshape(-1, self.batch)[:, whole] = True
            chosen[full:][short] = True
        return np.flatnonzero(chosen)


class EpochPlan(NamedTuple):
    """The order of an epoch."""

    plan: WindowPlan
    epoch: int
    pieces: Array  # (pieces,) int64: in the order in which they are read
    starts: Array  # (pieces + 1,) int64: the position of the first row of each, and m
    shuffle: Shuffle

    def window(self, k: int) -> tuple[int, int, int]:
        """Return where window k begins, where it ends, and where its last piece does."""
        plan, m = self.plan, int(self.starts[-1])
        begin, end = (int(self.starts[plan.starts[i]]) for i in (k, k + 1))
        batch = plan.batch
        return begin // batch * batch, m if end == m else end // batch * batch, end

    def spans(self, first: int, stop: int) -> list[Piece]:
        """Return the rows at the positions first … stop − 1, those of neighbours together."""
        found: list[Piece] = []
        place = int(np.searchsorted(self.starts, first, "right")) - 1
        while first < stop:
            end = min(int(self.starts[place + 1]), stop)
            row = int(self.plan.bounds[self.pieces[place]]) + first - int(self.starts[place])
            last = row + end - first
            if found and found[-1][1] == row:
                row = found.pop()[0]
            found.append((row, last))
            first, place = end, place + 1
        return found

    def groups(self, first: int, stop: int, together: int) -> Iterator[tuple[int, int]]:
        """Yield the positions first … stop − 1 in parts of so many pieces."""
        begin, end = np.searchsorted(self.starts, (first, stop)).tolist()
        cuts = [first, *self.starts[begin + 1 : end][together - 1 :: together].tolist(), stop]
        yield from pairwise(cuts)

    def arrange(self, order: Array, window: int) -> None:
        """Fill the order (rows,) of the rows of a window, by their places in it."""
        plan = self.plan
        if not plan.shuffle:
            order[...] = np.arange(len(order))
            return
        full = len(order) // plan.batch * plan.batch
        batches, rest = order[:full].reshape(-1, plan.batch), order[full:]
        for shard, (section, whole, short) in enumerate(plan.parts(len(order))):
            rows = np.empty(section.stop - section.start, np.int64)
            counter = window, self.epoch, shard, 0
            word = philox(counter, (plan.seed, Purpose.WINDOW << 16))[0]
            self.shuffle(rows, word, self.epoch)
            rows += section.start
            n = rows.size - (short.stop - short.start)
            batches[:, whole] = rows[:n].reshape(len(batches), whole.stop - whole.start)
            rest[short] = rows[n:]


def plan_windows(
    rows: CheckedRows | SelectedRows, window_rows: int, batch: int, seed: int = 0,
    shuffle: bool = False, part: slice = slice(None),
) -> WindowPlan:  # fmt: skip
    """Return the plan of windows of up to so many rows, besides those left over by the one before.

    part: the rows that they hold, of which there is one at least; all, where it names none.

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
    bounds = bounds.clip(*part.indices(len(rows))[:2])
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
