"""Rows of HDF5 data sets: by their place in the file where that is plain, else by the library.

The library's own reading holds a lock of all of h5py, unpacks on one thread, and gives zeros for
what is missing at the end of a file.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from fastnn._validation.arrays import numpy_convertible
from fastnn.errors import DataError, FastnnError

from .base import Array, RowSource
from .chunks import MAX_CHUNKS, ChunkedRows, chunk_grid
from .contiguous import ContiguousRows
from .filters import DEFLATE, READ_FILTERS, SHUFFLE, list_filters
from .open_file import OpenFile
from .slices import SlicedRows


def hdf5_rows(dataset: Any, name: str) -> RowSource:
    """Return the rows of an h5py.Dataset (m, …) of numbers.

    Raises
    ------
    DataError
        If a filter that packs it is neither in the library nor in hdf5plugin, or its file is
        damaged.
    """
    _check_filters(dataset, name)
    file = _opened(dataset.file, name)
    try:
        if file is None or not _lies_plain(dataset):
            return LibraryRows(dataset, name, file)
        return (ContiguousRows if dataset.chunks is None else ChunkedRows)(dataset, name, file)
    except Exception as error:
        if file is not None:
            file.close()
        if isinstance(error, FastnnError):
            raise
        raise DataError(
            f"{name} cannot be opened: {error}; if its file is damaged, fetch or write it again"
        ) from error


class LibraryRows(SlicedRows):
    """Rows that the HDF5 library reads.

    file: the data set's file, watched for changes; None where it has none, or is being written.
    """

    def __init__(self, dataset: Any, name: str, file: OpenFile | None) -> None:
        super().__init__(dataset, name, dataset.chunks[0] if dataset.chunks else 1)
        self._file = file

    def check_unchanged(self) -> None:
        """Refuse a file that is closed or has changed."""
        numpy_convertible(self.rows, self.name, "h5py")
        super().check_unchanged()
        if self._file is not None:
            self._file.check_unchanged()

    def close(self) -> None:
        """Let go of the file; the data set stays open."""
        if self._file is not None:
            self._file.close()

    def _fill(self, start: int, stop: int, out: Array) -> None:
        """Write rows into out, by the library itself where they need no conversion."""
        if self.rows.dtype == self.dtype:
            self.rows.read_direct(out.reshape(-1, *self.rows.shape[1:]), np.s_[start:stop])
        else:
            super()._fill(start, stop, out)


def _check_filters(dataset: Any, name: str) -> None:
    """Refuse a data set that is packed by a filter which is nowhere to be had."""
    import h5py

    for code, _ in list_filters(dataset):
        if h5py.h5z.filter_avail(code):
            continue
        with contextlib.suppress(ImportError):
            import hdf5plugin  # noqa: F401  # registers its filters
        if not h5py.h5z.filter_avail(code):
            kind = READ_FILTERS.get(code, "a filter")
            raise DataError(
                f"{name} is packed by {kind} (filter {code} of HDF5), which this HDF5 library does "
                "not have; pip install hdf5plugin"
            )


def _opened(file: Any, name: str) -> OpenFile | None:
    """Return the file of an h5py.File, opened a second time.

    None if it is open for writing, in memory or in parts, or if its name leads elsewhere by now.
    """
    if file.mode != "r" or file.driver != "sec2":
        return None
    try:
        opened = OpenFile(file.filename, name)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if opened.is_same_as(file.id.get_vfd_handle()):
            return opened
    opened.close()
    return None


def _lies_plain(dataset: Any) -> bool:
    """Return whether a data set's numbers lie in its file as they are, or packed by gzip.

    They do not where they are kept elsewhere, have a type that NumPy has not, or lie in a header.
    """
    import h5py

    if dataset.is_virtual or dataset.external or dataset.file.userblock_size:
        return False
    if not dataset.id.get_type().equal(h5py.h5t.py_create(dataset.dtype, logical=True)):
        return False
    if dataset.chunks is None:
        size = dataset.size * dataset.dtype.itemsize
        return dataset.id.get_offset() is not None and dataset.id.get_storage_size() == size
    filters = {code for code, _ in list_filters(dataset)}
    return filters <= {DEFLATE, SHUFFLE} and math.prod(chunk_grid(dataset)) <= MAX_CHUNKS
