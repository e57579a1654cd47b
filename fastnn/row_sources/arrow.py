"""Rows of pyarrow's tables, Parquet files and data sets, a piece of record batches at a time."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from fastnn._validation.arrays import MISSING_HINT
from fastnn._validation.examples import check_shape
from fastnn.errors import DataError

from .base import BLOCK_BYTES, Array, RowSource
from .open_file import FileState, check_same_file

#: Record batches that a data set's scan reads ahead.
BATCHES_AHEAD = 2
#: Pieces that stay begun: of two threads one may read rows to train on, and one those to score.
DECODERS = 2
#: By Parquet file: held while it is read. A process ends where two threads read one, as where its
#: rows are trained on and scored.
_file_locks: WeakKeyDictionary[Any, threading.Lock] = WeakKeyDictionary()


class Piece(NamedTuple):
    """Rows that are decoded from their first one on: a row group, a file; or those of a table.

    batches: a function of the rows to skip, and of the most rows of a batch, that gives the record
    batches of the others.
    path: the file of the machine that they lie in, if it is known.
    """

    n_rows: int
    batches: Callable[[int, int], Iterator[Any]]
    path: str | None = None


class Decoder:
    """A place in a piece that has been begun: what comes next in it needs no second decoding."""

    def __init__(self, piece: Piece, begin: int, place: int, batch_rows: int) -> None:
        """Begin at row `place` of a source, whose piece has its first row at `begin`."""
        self.begin, self.place = begin, place
        self._batches = piece.batches(place - begin, batch_rows)
        self._rest: Any = None  # of a batch that was not read to its end

    def take(self, n_rows: int) -> Iterator[Any]:
        """Yield record batches of the next n_rows rows; fewer if the piece ends before."""
        end = self.place + n_rows
        while self.place < end:
            batch, self._rest = self._rest, None
            if batch is None and (batch := next(self._batches, None)) is None:
                return
            used = min(batch.num_rows, end - self.place)
            if used < batch.num_rows:
                self._rest = batch.slice(used)
            self.place += used
            yield batch.slice(0, used)


class ArrowRows(RowSource):
    """Rows of several pieces, one after another; a column is a feature.

    A read that goes on in a piece behind an earlier one decodes only what lies between them; any
    other one that begins within a piece decodes what stands before it, too.

    in_memory: whether nothing has to be decoded; lock: held while rows are read.
    """

    def __init__(
        self, name: str, schema: Any, pieces: Sequence[Piece], in_memory: bool = False,
        lock: threading.Lock | None = None,
    ) -> None:  # fmt: skip
        self._pieces = [piece for piece in pieces if piece.n_rows]
        self._begins = [0, *accumulate(piece.n_rows for piece in self._pieces)]
        shape, starts = (self._begins[-1], len(schema)), None if in_memory else self._begins
        super().__init__(name, shape, _column_dtype(schema), piece_starts=starts)
        self._lock = lock or self._lock
        self._names = schema.names
        self._batch_rows = max(1, BLOCK_BYTES // (8 * self.dtype.itemsize * len(schema)))
        paths = {piece.path for piece in self._pieces if piece.path}
        self._states = {path: FileState.of(os.stat(path)) for path in paths}
        self._decoders: deque[Decoder] = deque(maxlen=DECODERS)

    def check_unchanged(self) -> None:
        """Refuse files that have changed."""
        for path, before in self._states.items():
            try:
                now = FileState.of(os.stat(path))
            except FileNotFoundError as error:
                raise DataError(f"{self.name} lies in the file '{path}', which is gone") from error
            except OSError as error:
                raise DataError(f"{self.name} lies in the file '{path}': {error}") from error
            check_same_file(path, before, now, self.name)

    def close(self) -> None:
        """Let go of batches that were not read to their end."""
        self._decoders.clear()

    def _fill(self, start: int, stop: int, out: Array) -> None:
        place = start
        while place < stop:
            k = bisect_right(self._begins, place) - 1
            end = min(stop, self._begins[k + 1])
            self._fill_from(k, place, out[place - start : end - start])
            place = end

    def _fill_from(self, k: int, place: int, out: Array) -> None:
        """Write rows of piece k from `place` on into out."""
        begin, end, n_rows = self._begins[k], place + len(out), self._pieces[k].n_rows
        decoder = self._decoder(k, place)
        for _ in decoder.take(place - decoder.place):
            pass
        for batch in decoder.take(end - decoder.place):
            row = decoder.place - batch.num_rows
            self._write(batch, row, out[row - place : decoder.place - place])
        if decoder.place < end:
            found = decoder.place - begin
            what = f"there are {found} rows where {n_rows} were counted"
            raise self._fault(decoder.place, end, what)
        if end < begin + n_rows:
            self._decoders.append(decoder)

    def _decoder(self, k: int, place: int) -> Decoder:
        """Return what decodes piece k from `place` on; whoever goes on with it puts it back."""
        begin, first = self._begins[k], 0 if self.piece_starts else place  # worth going on from
        found = [
            own for own in self._decoders if own.begin == begin and first <= own.place <= place
        ]
        if not found:
            return Decoder(self._pieces[k], begin, place, self._batch_rows)
        nearest = max(found, key=lambda own: own.place)
        self._decoders.remove(nearest)
        return nearest

    def _write(self, batch: Any, place: int, out: Array) -> None:
        """Write the columns of a record batch, whose first row is `place`, into out."""
        if batch.schema.names != self._names:
            raise DataError(
                f"{self.name} has the columns {batch.schema.names} in row {place}, and "
                f"{self._names} by its schema"
            )
        for k, column in enumerate(batch.columns):
            if column.null_count:
                row = place + int(np.asarray(column.is_null()).argmax())
                raise DataError(
                    f"{self.name} has no value in row {row}, column {self._names[k]!r}; "
                    f"{MISSING_HINT}"
                )
            out[:, k] = column.to_numpy(zero_copy_only=False)


def table_rows(table: Any, name: str) -> RowSource | None:
    """Return the rows of a pyarrow.Table of numbers; None if a column holds something else."""
    if _column_without_numbers(table.schema):
        return None  # an error of `arguments.numeric` names the first entry that is no number

    def batches(skip: int, most: int) -> Iterator[Any]:
        for begin in range(skip, table.num_rows, most):
            yield from table.slice(begin, most).to_batches()

    return _rows_of(name, table.schema, [Piece(table.num_rows, batches)], in_memory=True)


def parquet_rows(file: Any, name: str) -> RowSource:
    """Return the rows of a pyarrow.parquet.ParquetFile, by row groups.

    Raises
    ------
    DataError
        If a column holds no numbers.
    """

    def piece(k: int) -> Piece:
        def batches(skip: int, most: int) -> Iterator[Any]:
            return _skip(file.iter_batches(most, row_groups=[k]), skip)

        return Piece(file.metadata.row_group(k).num_rows, batches)

    pieces, lock = [piece(k) for k in range(file.num_row_groups)], threading.Lock()
    return _rows_of(name, file.schema_arrow, pieces, lock=_file_locks.setdefault(file, lock))


def dataset_rows(dataset: Any, name: str) -> RowSource:
    """Return the rows of a pyarrow.dataset.Dataset: by row groups of Parquet, else by files.

    Raises
    ------
    DataError
        If a column holds no numbers, or the data set is filtered.
    """
    schema = dataset.schema
    local = getattr(getattr(dataset, "filesystem", None), "type_name", "") == "local"

    def piece(fragment: Any, n_rows: int) -> Piece:
        def batches(skip: int, most: int) -> Iterator[Any]:
            found = fragment.to_batches(
                schema=schema, batch_size=most, batch_readahead=BATCHES_AHEAD
            )
            return _skip(found, skip)

        return Piece(n_rows, batches, os.path.abspath(fragment.path) if local else None)

    try:
        fragments = list(dataset.get_fragments())
    except ValueError as error:
        raise DataError(
            f"{name} is a filtered data set, whose rows have no places; write them to a file by "
            "pyarrow.dataset.write_dataset"
        ) from error
    pieces = []
    for fragment in fragments:
        if hasattr(fragment, "split_by_row_group"):  # count_rows of its parts counts the file's
            parts = fragment.split_by_row_group()
            pieces += [piece(part, sum(g.num_rows for g in part.row_groups)) for part in parts]
        else:
            pieces.append(piece(fragment, fragment.count_rows()))
    return _rows_of(name, schema, pieces)


def _rows_of(
    name: str, schema: Any, pieces: Sequence[Piece], in_memory: bool = False,
    lock: threading.Lock | None = None,
) -> RowSource:  # fmt: skip
    """Return a source of pieces whose columns hold numbers."""
    if fault := _column_without_numbers(schema):
        raise DataError(
            f"{name} must hold real numbers, but {fault}; choose the columns, as in "
            "pyarrow.dataset.dataset(path).replace_schema(pyarrow.schema([…]))"
        )
    check_shape((sum(piece.n_rows for piece in pieces), len(schema)), None, name=name)
    return ArrowRows(name, schema, pieces, in_memory, lock)


def _skip(batches: Iterator[Any], n_rows: int) -> Iterator[Any]:
    """Yield record batches without their first rows."""
    for batch in batches:
        if n_rows < batch.num_rows:
            yield batch.slice(n_rows)
        n_rows = max(0, n_rows - batch.num_rows)


def _column_dtype(schema: Any) -> np.dtype[Any]:
    """Return the dtype that holds all columns of a schema of numbers, as NumPy joins them."""
    return np.result_type(*(np.dtype(kind.to_pandas_dtype()) for kind in schema.types))


def _column_without_numbers(schema: Any) -> str | None:
    """Return what the first column of a schema is that holds no real numbers, if there is one."""
    from pyarrow import types

    known = (types.is_integer, types.is_floating, types.is_boolean)
    for field in schema:
        if not any(check(field.type) for check in known):
            return f"column {field.name!r} holds {field.type}"
    return None
