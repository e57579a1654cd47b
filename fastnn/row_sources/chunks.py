"""Rows that lie in chunks of an HDF5 file, packed by gzip or not, unpacked by several threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastnn._runtime.threads import get_num_threads

from .base import Array, Part, RowSource
from .contiguous import stored_dtype
from .filters import Filter, list_filters, unpack_chunk, used_filters
from .open_file import OpenFile

#: Chunks of a data set of which the places are kept, at most: 20 bytes each.
MAX_CHUNKS = 2**20
#: Shares of the chunks of one call that each thread takes, one after the other.
SHARES = 4
PLACE = np.dtype([("offset", np.int64), ("size", np.int64), ("mask", np.uint32)])
UNWRITTEN = -1


class Chunk(NamedTuple):
    """Rows start … stop − 1 of the chunk at (i, k) of the grid, and the memory for its columns."""

    i: int
    k: int
    start: int
    stop: int
    out: Array


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

    def _fill_parts(self, parts: Sequence[Part]) -> None:
        """Share the chunks of all parts among the threads."""
        self.check_unchanged()
        chunks = [chunk for part in parts for chunk in self._chunks_of(part)]
        n_shares = min(len(chunks), SHARES * self._threads)
        if self._threads == 1 or n_shares <= 1:
            self._fill_chunks(chunks)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "fastnn-unpack")
        bounds = [len(chunks) * k // n_shares for k in range(n_shares + 1)]
        jobs = [self._pool.submit(self._fill_chunks, chunks[a:b]) for a, b in pairwise(bounds)]
        wait(jobs)  # all of them: nothing may write into memory of the caller once this returns
        for job in jobs:
            job.result()

    def _chunks_of(self, part: Part) -> Iterator[Chunk]:
        """Yield the chunks that hold rows of a part."""
        height, width = self._chunk
        for i in range(part.start // height, -(-part.stop // height)):
            start, stop = max(i * height, part.start), min((i + 1) * height, part.stop)
            rows = part.out[start - part.start : stop - part.start]
            for k in range(self._places.shape[1]):
                yield Chunk(i, k, start, stop, rows[:, k * width : (k + 1) * width])

    def _fill_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Write what is asked of chunks."""
        for chunk in chunks:
            with (
                self._explaining(chunk.start, chunk.stop),
                np.errstate(over="ignore"),  # longer than float64, which a later check finds
            ):
                self._fill_chunk(chunk)

    def _fill_chunk(self, chunk: Chunk) -> None:
        """Write what is asked of a chunk: read where it lies if it is not packed, or unpacked."""
        i, k, start, stop, out = chunk
        (height, width), place = self._chunk, self._places[i, k]
        offset, size = int(place["offset"]), int(place["size"])
        if offset == UNWRITTEN:
            out[...] = np.asarray(self._fill_value, self._stored)
            return
        used = used_filters(self._filters, int(place["mask"]))
        row_bytes = width * self._stored.itemsize
        if not used and size == height * row_bytes:
            straight = out.shape[1] == width and out.flags.c_contiguous
            straight = straight and self._stored == self.dtype
            rows = out if straight else np.empty((stop - start, width), self._stored)
            self._file.read_into(offset + (start - i * height) * row_bytes, rows)
            if not straight:
                out[...] = rows[:, : out.shape[1]]
            return
        found = self._unpack(self._file.read(offset, size), used)
        if found is not None:
            out[...] = found[start - i * height : stop - i * height, : out.shape[1]]
            return
        rows = np.asarray(self._dataset[start:stop, k * width : k * width + out.shape[1]])
        out[...] = rows.view(np.uint8) if rows.dtype.kind == "b" else rows

    def _unpack(self, packed: Any, used: list[Filter]) -> Array | None:
        """Return the numbers of a chunk; None if it holds something else."""
        (height, width), size = self._chunk, self._stored.itemsize
        try:
            data = unpack_chunk(packed, used, height * width * size)
        except Exception:  # of the unpacking library, and of sizes that do not divide
            return None
        if data is None or len(data) != height * width * size:
            return None
        return np.frombuffer(data, self._stored).reshape(height, width)


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
