"""Rows by slices: any object with a shape, a dtype and `X[start:stop]`, block after block."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from fastnn.errors import DataError

from .base import BLOCK_BYTES, Array, RowSource

#: Held while an object is asked for anything. Not every library lets two threads read: netCDF4
#: crashes or raises "HDF error", be it of one file or of two, where a fit reads its rows to train
#: on and those to score at once.
_one_reader = threading.RLock()


def _forget() -> None:
    """Let a forked child read, whatever a thread of its parent was reading."""
    global _one_reader  # noqa: PLW0603 - the lock of the process
    _one_reader = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class SlicedRows(RowSource):
    """Rows of an object that gives slices of itself, each of which becomes an array.

    Of all such objects one is read at a time, a block of it.

    piece_rows: as `RowSource` has it; blocks are whole pieces where they are small enough.
    """

    def __init__(self, rows: Any, name: str, piece_rows: int = 1) -> None:
        super().__init__(name, tuple(rows.shape), np.dtype(rows.dtype), piece_rows)
        self.rows = rows
        self._found = (tuple(rows.shape), np.dtype(rows.dtype))
        pieces = BLOCK_BYTES // (self.piece_rows * self.shape[1] * self._found[1].itemsize)
        self._block_rows = self.piece_rows * max(1, pieces)

    def check_unchanged(self) -> None:
        """Refuse an object whose shape or dtype is no longer that of the beginning."""
        try:
            with _one_reader:
                now = (tuple(self.rows.shape), np.dtype(self.rows.dtype))
        except Exception as error:  # whatever another library's object raises
            raise DataError(
                f"{self.name} no longer tells its shape and dtype: {type(error).__name__}: {error}"
            ) from error
        if now != self._found:
            shape, dtype = self._found
            raise DataError(
                f"{self.name} has changed while it was read, from {dtype} {shape} to {now[1]} "
                f"{now[0]}; give data that nothing writes to"
            )

    def _fill(self, start: int, stop: int, out: Array) -> None:
        step = self._block_rows
        for a in range(start, stop, step):
            b = min(a + step, stop)
            with self._explaining(a, b), _one_reader:
                block = self._slice(a, b)
            self._check_block(block, a, b)
            with np.errstate(over="ignore"):  # longer than float64, which a later check finds
                out[a - start : b - start] = block.reshape(b - a, -1)

    def _slice(self, start: int, stop: int) -> Any:
        """Return rows start … stop − 1 as an array."""
        block = self.rows[start:stop]
        if isinstance(block, np.ma.MaskedArray) and np.ma.is_masked(block):
            masked = np.ma.getmaskarray(block).reshape(len(block), -1).any(axis=1)
            row = start + int(masked.argmax())
            raise DataError(
                f"{self.name} has masked entries in row {row}; fill them in or drop their rows"
            )
        block = np.asarray(block)
        return block.view(np.uint8) if block.dtype.kind == "b" else block

    def _check_block(self, block: Array, start: int, stop: int) -> None:
        """Refuse a slice of another shape or dtype than the object's own promise."""
        shape, dtype = (stop - start, *self._found[0][1:]), self._found[1]
        if dtype.kind == "b":
            dtype = np.dtype(np.uint8)
        if block.shape != shape or block.dtype != dtype:
            raise self._fault(
                start,
                stop,
                f"they should be {dtype} {shape} by the object's own shape and dtype, and came as "
                f"{block.dtype} {block.shape}",
            )
