"""Rows that lie in chunks of an HDF5 file, packed by gzip or not, unpacked by several threads."""

from __future__ import annotations

import math
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
    """Rows start … stop − 1 of the chunk at `place` of the grid, and the memory for them.

    out: of the rows' own axes, at the edge of the data set smaller than the chunk.
    """

    place: tuple[int, ...]
    start: int
    stop: int
    out: Array


class ChunkedRows(RowSource):
    """Rows of a chunked HDF5 data set (m, …), whose filters are shuffle and gzip, if any.

    What is not as it should be in the file is left to the HDF5 library, which has the last word.
    """

    def __init__(self, dataset: Any, name: str, file: OpenFile) -> None:
        super().__init__(name, dataset.shape, dataset.dtype, dataset.chunks[0])
        self._dataset, self._file = dataset, file
        self._chunk: tuple[int, ...] = dataset.chunks
        self._size = math.prod(self._chunk)
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
        (height, *sizes), axes = self._chunk, self._dataset.shape[1:]
        for i in range(part.start // height, -(-part.stop // height)):
            start, stop = max(i * height, part.start), min((i + 1) * height, part.stop)
            rows = part.out[start - part.start : stop - part.start].reshape(-1, *axes)
            for place in np.ndindex(self._places.shape[1:]):
                yield Chunk((i, *place), start, stop, rows[:, *_slices(place, sizes)])

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
        place, start, stop, out = chunk
        found, top = self._places[place], place[0] * self._chunk[0]
        offset, size = int(found["offset"]), int(found["size"])
        if offset == UNWRITTEN:
            out[...] = np.asarray(self._fill_value, self._stored)
            return
        used = used_filters(self._filters, int(found["mask"]))
        inside = tuple(slice(0, n) for n in out.shape[1:])
        if not used and size == self._size * self._stored.itemsize:
            straight = out.shape[1:] == self._chunk[1:] and out.flags.c_contiguous
            straight = straight and self._stored == self.dtype
            rows = out if straight else np.empty((stop - start, *self._chunk[1:]), self._stored)
            self._file.read_into(offset + (start - top) * (size // self._chunk[0]), rows)
            if not straight:
                out[...] = rows[:, *inside]
            return
        block = self._unpack(self._file.read(offset, size), used)
        if block is not None:
            out[...] = block[start - top : stop - top, *inside]
            return
        here = self._dataset[start:stop, *_slices(place[1:], self._chunk[1:])]
        out[...] = here.view(np.uint8) if here.dtype.kind == "b" else here

    def _unpack(self, packed: Any, used: list[Filter]) -> Array | None:
        """Return the numbers of a chunk; None if it holds something else."""
        size = self._size * self._stored.itemsize
        try:
            data = unpack_chunk(packed, used, size)
        except Exception:  # of the unpacking library, and of sizes that do not divide
            return None
        if data is None or len(data) != size:
            return None
        return np.frombuffer(data, self._stored).reshape(self._chunk)


def chunk_grid(dataset: Any) -> tuple[int, ...]:
    """Return how many chunks a data set has along each axis, written or not."""
    return tuple(-(-m // c) for m, c in zip(dataset.shape, dataset.chunks, strict=True))


def _slices(place: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Return where a chunk of the grid lies along each axis; beyond the edge nothing is there."""
    return tuple(slice(k * n, (k + 1) * n) for k, n in zip(place, sizes, strict=True))


def _find_places(dataset: Any) -> Array:
    """Return where each chunk of the grid lies in the file, and which filters it leaves out."""
    places = np.zeros(chunk_grid(dataset), PLACE)
    places["offset"] = UNWRITTEN
    sizes = dataset.chunks

    def note(chunk: Any) -> None:
        place = tuple(k // n for k, n in zip(chunk.chunk_offset, sizes, strict=True))
        if chunk.byte_offset is not None:
            places[place] = (chunk.byte_offset, chunk.size, chunk.filter_mask)

    dataset.id.chunk_iter(note)
    return places
