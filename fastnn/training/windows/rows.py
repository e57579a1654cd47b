"""Rows of a source made fit for training: checked where they are read, or some of them alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn._validation.arrays import MISSING_HINT, all_finite, check_representable
from fastnn.errors import DataError

from .size import SCAN

Array = np.ndarray[Any, Any]
Piece = tuple[int, int]  # the first row, and the one after the last
BLOCK_ROWS = 4096  # rows of a source that `SelectedRows` counts together
READ_BYTES = 4 * 2**20  # of a source that `SelectedRows` reads at a time, about


class CheckedRows:
    """A row source whose rows are refused unless all are finite.

    Parameters
    ----------
    source : RowSource
        Its rows (m, n).
    dtype : dtype
        The network's, in which every number must be finite.
    name : str
        What errors call the rows.

    Attributes
    ----------
    errors : list of Exception
        All that reading raised: two threads may read.
    scan_bytes : int
        Bytes of a window where they are read once, in their order.
    """

    def __init__(self, source: Any, dtype: np.dtype[Any], name: str = "X") -> None:
        self.source, self.name, self._wanted, self.scan_bytes = source, name, dtype, SCAN
        self.shape: tuple[int, int] = source.shape
        self.dtype: np.dtype[Any] = source.dtype
        self.piece_rows: int = source.piece_rows
        self.piece_starts: Sequence[int] | None = source.piece_starts
        self.errors: list[Exception] = []
        self.checked = self

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, pieces: Sequence[Piece], out: Array) -> None:
        """Write rows start … stop − 1 of each piece, one after another, into out (rows, n)."""
        with self._noted():
            self.source.read_pieces(pieces, out)
            self._check(pieces, out)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note what a `with` block raises, for whoever asks where an error comes from."""
        try:
            yield
        except Exception as error:
            self.errors.append(error)
            raise

    def _check(self, pieces: Sequence[Piece], out: Array) -> None:
        """Refuse the rows of pieces unless all of their numbers are finite."""
        if out.dtype.kind != "f" or out.size == 0:
            return
        if not all_finite(out):
            wrong = ~np.isfinite(out)
            if wrong.any():
                place = int(wrong.any(axis=1).argmax())
                value = out[place][wrong[place]][0]
                row = np.concatenate([np.arange(*piece) for piece in pieces])[place]
                raise DataError(f"{self.name} holds {value} in row {row}; {MISSING_HINT}")
        check_representable(out, self._wanted, self.name)

    def rows(self, start: int, stop: int) -> slice | Array:
        """Return where the rows start … stop − 1 stand in the source."""
        return slice(start, stop)

    def first_beyond(self, row: int) -> int:
        """Return the number of the first of these rows that is not before a row of the source."""
        return min(row, len(self))

    def check_unchanged(self) -> None:
        """Raise a DataError if the rows are no longer what they were."""
        with self._noted():
            self.source.check_unchanged()


class SelectedRows:
    """Some rows of a source, in their order.

    Parameters
    ----------
    source : CheckedRows
        All rows (m, n).
    mask : ndarray (m,) of bool
        Which of them these are.
    """

    def __init__(self, source: CheckedRows, mask: Array) -> None:
        self.source, self.mask, self.dtype, self.checked = source, mask, source.dtype, source
        starts = np.arange(0, len(mask), BLOCK_ROWS)
        counts = np.add.reduceat(mask, starts, dtype=np.int64)
        self._before = np.concatenate([[0], np.cumsum(counts)])  # a block's first row, from 0
        self.shape = int(self._before[-1]), source.shape[1]
        self.piece_rows, self.piece_starts = source.piece_rows, source.piece_starts

    def __len__(self) -> int:
        return self.shape[0]

    def _row(self, number: int) -> int:
        """Return where the row of a number stands in the source."""
        block = int(np.searchsorted(self._before, number, "right")) - 1
        first = block * BLOCK_ROWS
        inside = np.flatnonzero(self.mask[first : first + BLOCK_ROWS])
        return first + int(inside[number - self._before[block]])

    def rows(self, start: int, stop: int) -> slice | Array:
        """Return where the rows start … stop − 1 stand in the source."""
        if start == stop:
            return slice(0, 0)
        first, end = self._row(start), self._row(stop - 1) + 1
        return np.flatnonzero(self.mask[first:end]) + first

    def first_beyond(self, row: int) -> int:
        """Return the number of the first of these rows that is not before a row of the source."""
        block = min(row, len(self.mask)) // BLOCK_ROWS
        return int(self._before[block] + np.count_nonzero(self.mask[block * BLOCK_ROWS : row]))

    def read(self, pieces: Sequence[Piece], out: Array) -> None:
        """Write rows start … stop − 1 of each piece, one after another, into out (rows, n)."""
        done = 0
        for start, stop in pieces:
            self._read(start, stop, out[done : done + stop - start])
            done += stop - start

    def _read(self, start: int, stop: int, out: Array) -> None:
        """Write the rows start … stop − 1 into out (stop − start, n)."""
        if start == stop:
            return
        row, end, done = self._row(start), self._row(stop - 1) + 1, 0
        step = max(1, READ_BYTES // (self.shape[1] * self.dtype.itemsize))
        step = max(step // self.piece_rows * self.piece_rows, min(step, self.piece_rows))
        while row < end:
            n = min(step - row % step, end - row)  # up to where a piece of the source ends
            block = np.empty((n, self.shape[1]), self.dtype)
            self.source.read([(row, row + n)], block)
            chosen = self.mask[row : row + n]
            count = int(np.count_nonzero(chosen))
            np.compress(chosen, block, axis=0, out=out[done : done + count])
            row, done = row + n, done + count

    def check_unchanged(self) -> None:
        """Raise a DataError if the rows are no longer what they were."""
        self.source.check_unchanged()
