"""Find: which object is a source of rows, told by its class's library, which is never imported."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn._validation.arrays import numpy_convertible
from fastnn._validation.examples import check_shape
from fastnn._validation.iterables import check_no_iterable
from fastnn.errors import DataError, ShapeError

from .base import RowSource, read_dtype

Maker = Callable[[Any, str, bool], RowSource | None]


def find(X: Any, name: str = "X", *, flatten: bool = False, verb: str = "fit") -> RowSource | None:
    """Return X as rows that are read some at a time; None if it lies in memory.

    Nothing of X is read, and no library is imported that has not made it. Frames, tensors, sparse
    matrices, memory maps and whatever else NumPy has to read are None, and so are objects whose
    numbers only a look at them can tell.

    Parameters
    ----------
    X : object
        A data set of h5py, an array of zarr or dask, a table, a data set or a Parquet file of
        pyarrow, or another object with a shape (m, n), a NumPy dtype and slices of rows.
    name : str
        The argument's name, for messages.
    flatten : bool, default False
        Whether X may be (m, …), as images are: a row is then all that stands behind an index.
    verb : str
        The method that takes X, for messages.

    Raises
    ------
    DataError
        If X is a generator, a loader, or a sequence of batches, which are not touched; if it is
        closed, holds no real numbers, or cannot tell its rows.
    ShapeError
        If it has other axes than (m, n), or is empty.
    """
    if isinstance(X, np.ndarray | list | tuple):
        return None
    if isinstance(X, RowSource):
        return X
    check_no_iterable(X, name, verb)
    for kind in type(X).__mro__:
        library = kind.__module__.partition(".")[0]
        if maker := MAKERS.get((library, kind.__name__)):
            return maker(X, name, flatten)
        if library in IN_MEMORY:
            return None
    return _sliced(X, name, flatten) if _has_slices(X) else None


def _hdf5(dataset: Any, name: str, flatten: bool) -> RowSource | None:
    """Return the rows of an h5py.Dataset."""
    from .hdf5 import hdf5_rows

    numpy_convertible(dataset, name, "h5py")  # refuses what is closed or empty
    return hdf5_rows(dataset, name) if _has_rows(dataset, name, flatten) else None


def _zarr(array: Any, name: str, flatten: bool) -> RowSource | None:
    """Return the rows of a zarr.Array; several chunks may stand in one shard."""
    chunks = getattr(array, "shards", None) or array.chunks or (1,)
    return _sliced(array, name, flatten, chunks[0])


def _dask(array: Any, name: str, flatten: bool) -> RowSource | None:
    """Return the rows of a dask.array.Array."""
    if any(np.isnan(n) for n in array.shape):
        raise DataError(
            f"{name} has chunks of unknown sizes; call {name}.compute_chunk_sizes() before"
        )
    return _sliced(array, name, flatten, array.chunks[0][0] if array.chunks else 1)


def _arrow(kind: str) -> Maker:
    """Return the maker of the rows of one of pyarrow's classes."""

    def maker(found: Any, name: str, flatten: bool) -> RowSource | None:
        from . import arrow

        rows: RowSource | None = getattr(arrow, f"{kind}_rows")(found, name)
        return rows

    return maker


def _sliced(rows: Any, name: str, flatten: bool, piece_rows: int = 1) -> RowSource | None:
    """Return the rows of an object that has slices."""
    from .slices import SlicedRows

    return SlicedRows(rows, name, piece_rows) if _has_rows(rows, name, flatten) else None


#: By library and class. A class that is not here may still be one with slices.
MAKERS: dict[tuple[str, str], Maker] = {
    ("h5py", "Dataset"): _hdf5,
    ("zarr", "Array"): _zarr,
    ("dask", "Array"): _dask,
    ("pyarrow", "Table"): _arrow("table"),
    ("pyarrow", "ParquetFile"): _arrow("parquet"),
    ("pyarrow", "Dataset"): _arrow("dataset"),
}
#: Libraries whose objects lie in memory, or are made arrays by rules of their own.
IN_MEMORY = ("pandas", "polars", "scipy", "sparse", "torch", "tensorflow", "jax", "jaxlib", "cupy")
#: What only objects have that lie in memory, or are sparse.
MEMORY_PROTOCOLS = ("toarray", "todense", "__dlpack__", "__array_interface__")


def _has_rows(rows: Any, name: str, flatten: bool) -> bool:
    """Return whether an object with a shape and a dtype holds numbers, and check its shape.

    One of texts or objects is no source: an error names the first of them.
    """
    try:
        dtype, shape = np.dtype(rows.dtype), rows.shape
    except (TypeError, ValueError):  # a type that NumPy has not, or a file that is closed
        return False
    if shape is None or dtype.kind == "O":
        return False
    read_dtype(dtype, name)
    if flatten and len(shape) > 2:
        shape = (shape[0], math.prod(shape[1:]))
    try:
        check_shape(tuple(shape), None, name=name)
    except ShapeError as error:
        if len(shape) < 3:
            raise
        raise ShapeError(f"{error}, or where they are too many, fastnn.data.image_rows") from None
    return True


def _has_slices(X: Any) -> bool:
    """Return whether an object has a shape, a dtype of NumPy and slices, and lies elsewhere."""
    if any(hasattr(X, name) for name in MEMORY_PROTOCOLS):
        return False
    shape, dtype = getattr(X, "shape", None), getattr(X, "dtype", None)
    if not isinstance(shape, tuple) or not all(isinstance(n, int | np.integer) for n in shape):
        return False
    return isinstance(dtype, np.dtype) and hasattr(type(X), "__getitem__") and len(shape) > 0
