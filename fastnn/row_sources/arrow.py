"""Rows of pyarrow's tables, Parquet files and data sets, a piece of record batches at a time."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np

from fastnn._validation.arrays import MISSING_HINT
from fastnn._validation.examples import check_shape
from fastnn.errors import DataError

from .base import BLOCK_BYTES, Array, RowSource
from .open_file import FileState, check_same_file

#: Record batches that a data set's scan reads ahead.
BATCHES_AHEAD = 2


class Piece(NamedTuple):
    """Rows that are decoded from their first one on: a row group, a file; or those of a table.

    batches: a function of the rows to skip, and of the most rows of a batch, that gives the record
    batches of the others.
    path: the file of the machine that they lie in, if it is known.
    """

    n_rows: int
    batches: Callable[[int, int], Iterator[Any]]
    path: str | None = None


class ArrowRows(RowSource):
    """Rows of several pieces, one after another; a column is a feature.

    A read that begins where the last one ended goes on with the same batches; one that begins
    within a piece decodes what stands before it, too.
    """

    def __init__(
        self, name: str, schema: Any, pieces: Sequence[Piece], piece_rows: int | None = None
    ) -> None:
        self._pieces = [piece for piece in pieces if piece.n_rows]
        self._begins = [0, *accumulate(piece.n_rows for piece in self._pieces)]
        largest = max((piece.n_rows for piece in self._pieces), default=0)
        shape = (self._begins[-1], len(schema))
        super().__init__(name, shape, _column_dtype(schema), piece_rows or largest)
        self._names = schema.names
        self._batch_rows = max(1, BLOCK_BYTES // (8 * self.dtype.itemsize * len(schema)))
        paths = {piece.path for piece in self._pieces if piece.path}
        self._states = {path: FileState.of(os.stat(path)) for path in paths}
        self._next = (-1, -1)  # the piece and the row that come next in `_batches`
        self._batches: Iterator[Any] = iter(())
        self._rest: list[Any] = []  # of a batch that was not read to its end, before `_batches`

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
        self._next, self._batches, self._rest = (-1, -1), iter(()), []

    def _fill(self, start: int, stop: int, out: Array) -> None:
        place = start
        while place < stop:
            k = bisect_right(self._begins, place) - 1
            end = min(stop, self._begins[k + 1])
            self._fill_from(k, place, out[place - start : end - start])
            place = end

    def _fill_from(self, k: int, place: int, out: Array) -> None:
        """Write rows of piece k from `place` on into out."""
        batches, rest, done = self._batches, self._rest, 0
        if (k, place) != self._next:
            rest = []
            batches = self._pieces[k].batches(place - self._begins[k], self._batch_rows)
        self._next = (-1, -1)  # until all went well
        for batch in chain(rest, batches):
            used = min(batch.num_rows, len(out) - done)
            self._write(batch, place + done, out[done : done + used])
            done += used
            rest = [batch.slice(used)] if used < batch.num_rows else []
            if done == len(out):
                break
        if done < len(out):
            raise self._fault(
                place + done,
                place + len(out),
                f"there are {place + done - self._begins[k]} rows where "
                f"{self._pieces[k].n_rows} were counted",
            )
        self._next, self._batches, self._rest = (k, place + done), batches, rest

    def _write(self, batch: Any, place: int, out: Array) -> None:
        """Write the columns of a record batch, whose first row is `place`, into out."""
        if batch.schema.names != self._names:
            raise DataError(
                f"{self.name} has the columns {batch.schema.names} in row {place}, and "
                f"{self._names} by its schema"
            )
        for k, column in enumerate(batch.columns):
            values = column.slice(0, len(out))
            if values.null_count:
                row = place + int(np.asarray(values.is_null()).argmax())
                raise DataError(
                    f"{self.name} has no value in row {row}, column {self._names[k]!r}; "
                    f"{MISSING_HINT}"
                )
            out[:, k] = values.to_numpy(zero_copy_only=False)


def table_rows(table: Any, name: str) -> RowSource | None:
    """Return the rows of a pyarrow.Table of numbers; None if a column holds something else."""
    if _column_without_numbers(table.schema):
        return None  # an error of `arguments.numeric` names the first entry that is no number

    def batches(skip: int, most: int) -> Iterator[Any]:
        for begin in range(skip, table.num_rows, most):
            yield from table.slice(begin, most).to_batches()

    return _rows_of(name, table.schema, [Piece(table.num_rows, batches)], piece_rows=1)


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

    return _rows_of(name, file.schema_arrow, [piece(k) for k in range(file.num_row_groups)])


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
    name: str, schema: Any, pieces: Sequence[Piece], piece_rows: int | None = None
) -> RowSource:
    """Return a source of pieces whose columns hold numbers."""
    if fault := _column_without_numbers(schema):
        raise DataError(
            f"{name} must hold real numbers, but {fault}; choose the columns, as in "
            "pyarrow.dataset.dataset(path).replace_schema(pyarrow.schema([…]))"
        )
    check_shape((sum(piece.n_rows for piece in pieces), len(schema)), None, name=name)
    return ArrowRows(name, schema, pieces, piece_rows)


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
