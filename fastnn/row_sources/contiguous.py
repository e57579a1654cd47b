"""Rows that lie in one piece in a file, and are read by their place in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import BLOCK_BYTES, Array, RowSource
from .open_file import OpenFile


class ContiguousRows(RowSource):
    """Rows of a contiguous HDF5 data set (m, …).

    They go straight from the file into the caller's memory where they need no conversion.
    """

    def __init__(self, dataset: Any, name: str, file: OpenFile) -> None:
        super().__init__(name, dataset.shape, dataset.dtype)
        self._file = file
        self._begin = dataset.id.get_offset()
        self._stored = stored_dtype(dataset.dtype)

    def check_unchanged(self) -> None:
        """Refuse a file that has changed."""
        self._file.check_unchanged()

    def close(self) -> None:
        """Close the file, which the source has opened for itself."""
        self._file.close()

    def _fill(self, start: int, stop: int, out: Array) -> None:
        if self._stored == self.dtype:
            self._read(start, out)
            return
        step = max(1, BLOCK_BYTES // (self.shape[1] * self._stored.itemsize))
        block = np.empty((min(step, stop - start), self.shape[1]), self._stored)
        for a in range(start, stop, step):
            b = min(a + step, stop)
            self._read(a, block[: b - a])
            with np.errstate(over="ignore"):  # longer than float64, which a later check finds
                out[a - start : b - start] = block[: b - a]

    def _read(self, start: int, out: Array) -> None:
        """Read rows from row `start` on, as they are stored, into out, C-contiguous."""
        row_bytes = self.shape[1] * self._stored.itemsize
        self._file.read_into(self._begin + start * row_bytes, out)


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype by which stored bytes are read: of bool, the bytes themselves."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype
