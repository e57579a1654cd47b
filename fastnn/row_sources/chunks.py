"""Rows that lie in chunks of an HDF5 file, packed by gzip or not, unpacked by several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise, product
from typing import Any

import numpy as np

from fastnn._runtime.threads import get_num_threads
from fastnn.errors import DataError

from .base import Array, RowSource
from .contiguous import stored_dtype
from .filters import Filter, list_filters, unpack_chunk, used_filters
from .open_file import OpenFile

#: Chunks of a data set of which the places are kept, at most: 20 bytes each.
MAX_CHUNKS = 2**20
#: Shares of the chunks of one call that each thread takes, one after the other.
SHARES = 4
PLACE = np.dtype([("offset", np.int64), ("size", np.int64), ("mask", np.uint32)])
UNWRITTEN = -1


class ChunkedRows(RowSource):
    """Rows of a chunked HDF5 data set (m, n), whose filters are shuffle and gzip, if any.

    What is not as it should be in the file is left to the HDF5 library, which has the last word.
    """

    def __init__(self, dataset: Any, name: str, file: OpenFile) -> None:
        super().__init__(name, dataset.shape, dataset.dtype, dataset.chunks[0])
        self._dataset, self._file = dataset, file
        self._chunk: tuple[int, int] = dataset.chunks
        self._stored = stored_dtype(dataset.dtype)
        self._filters = list_filters(dataset)
        self._fill_value = dataset.fillvalue
        self._places = _find_places(dataset)
        self._pool: ThreadPoolExecutor | None = None
        self._threads = get_num_threads()

    def check_unchanged(self) -> None:
        """Refuse a file that has changed."""
        self._file.check_unchanged()

    def close(self) -> None:
        """Join the unpacking threads and close the file, which the source has opened for itself."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._file.close()

    def _fill(self, start: int, stop: int, out: Array) -> None:
        self.check_unchanged()
        height = self._chunk[0]
        grid_rows = range(start // height, -(-stop // height))
        grid = list(product(grid_rows, range(self._places.shape[1])))
        n_shares = min(len(grid), SHARES * self._threads)
        if self._threads == 1 or n_shares == 1:
            self._fill_chunks(grid, start, out)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "fastnn-unpack")
        bounds = [len(grid) * k // n_shares for k in range(n_shares + 1)]
        jobs = [
            self._pool.submit(self._fill_chunks, grid[a:b], start, out) for a, b in pairwise(bounds)
        ]
        wait(jobs)  # all of them: nothing may write into `out` once this returns
        for job in jobs:
            job.result()

    def _fill_chunks(self, grid: list[tuple[int, int]], start: int, out: Array) -> None:
        """Write the parts of chunks that lie in out, whose first row is `start`."""
        (height, width), n = self._chunk, self.shape[1]
        for i, k in grid:
            top, left = i * height, k * width
            a, b = max(top, start), min(top + height, start + len(out))
            part = out[a - start : b - start, left : min(left + width, n)]
            with np.errstate(over="ignore"):  # longer than float64, which a later check finds
                part[...] = self._part(i, k, a, b)[:, : part.shape[1]]

    def _part(self, i: int, k: int, start: int, stop: int) -> Array:
        """Return rows start … stop − 1 of the chunk at (i, k) of the grid, all of its columns."""
        height, width = self._chunk
        place, top = self._places[i, k], i * height
        if place["offset"] == UNWRITTEN:
            fill = np.asarray(self._fill_value, self._stored)
            return np.broadcast_to(fill, (stop - start, width))
        used = used_filters(self._filters, int(place["mask"]))
        if not used and place["size"] == height * width * self._stored.itemsize:
            block = np.empty((stop - start, width), self._stored)
            skipped = (start - top) * width * self._stored.itemsize
            self._read(int(place["offset"]) + skipped, block, start, stop)
            return block
        packed = bytearray(int(place["size"]))
        self._read(int(place["offset"]), packed, start, stop)
        chunk = self._unpack(packed, used)
        if chunk is None:
            columns = slice(k * width, min((k + 1) * width, self.shape[1]))
            found = np.asarray(self._dataset[start:stop, columns])
            return found.view(np.uint8) if found.dtype == bool else found
        return chunk[start - top : stop - top]

    def _unpack(self, packed: bytearray, used: list[Filter]) -> Array | None:
        """Return the numbers of a chunk; None if it holds something else."""
        (height, width), size = self._chunk, self._stored.itemsize
        try:
            data = unpack_chunk(packed, used, height * width * size)
        except Exception:  # of zlib, and of sizes that do not divide
            return None
        if data is None or len(data) != height * width * size:
            return None
        return np.frombuffer(data, self._stored).reshape(height, width)

    def _read(self, place: int, out: Any, start: int, stop: int) -> None:
        """Read bytes of the chunk that holds rows start … stop − 1 into out."""
        if self._file.read_into(place, out) < memoryview(out).nbytes:
            raise DataError(
                f"{self.name} cannot be read in rows {start} … {stop - 1}, which lie beyond the "
                f"end of the file '{self._file.path}'; it is cut short: fetch or write it again"
            )


def chunk_grid(dataset: Any) -> tuple[int, ...]:
    """Return how many chunks a data set has along each axis, written or not."""
    return tuple(-(-m // c) for m, c in zip(dataset.shape, dataset.chunks, strict=True))


def _find_places(dataset: Any) -> Array:
    """Return where each chunk of the grid lies in the file, and which filters it leaves out."""
    places = np.zeros(chunk_grid(dataset), PLACE)
    places["offset"] = UNWRITTEN
    height, width = dataset.chunks

    def note(chunk: Any) -> None:
        row, column = chunk.chunk_offset
        if chunk.byte_offset is not None:
            place = (chunk.byte_offset, chunk.size, chunk.filter_mask)
            places[row // height, column // width] = place

    dataset.id.chunk_iter(note)
    return places
