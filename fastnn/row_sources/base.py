"""RowSource: rows (m, n) that are read some at a time, into memory of the caller."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np

from fastnn._validation.arguments import kernel_readable, numeric
from fastnn.errors import DataError, FastnnError

Array = np.ndarray[Any, Any]
#: Bytes that a source reads at a time where numbers pass through memory of its own.
BLOCK_BYTES = 2**23


def read_dtype(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    """Return the dtype as which numbers of a dtype are read: native, and known to the kernels.

    It is that of the array that a fit makes of them in memory: bool becomes uint8.

    Raises
    ------
    DataError
        If a dtype holds no real numbers.
    """
    found: np.dtype[Any] = kernel_readable(numeric(np.empty(0, dtype), name)).dtype
    return found


class Part(NamedTuple):
    """Rows start … stop − 1, and the memory (stop − start, n) where they belong."""

    start: int
    stop: int
    out: Array


class RowSource:
    """Rows (m, n) outside memory, or in the memory of another library; `read` gives some of them.

    Any thread may read; those that read at once wait for one another. A subclass implements
    `_fill`, and where it holds a file or threads `check_unchanged` and `close`.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    shape : tuple of int
        m, the rows, and n, the features; of several further axes the product.
    dtype : dtype
        As which the numbers are stored.
    piece_rows : int
        Rows from a multiple of this number on that are best read together.
    piece_starts : sequence of int (pieces + 1,), optional
        Instead: where pieces of any lengths begin that are decoded from their first row on, and m.
        A read that goes on behind an earlier one of the same piece decodes nothing twice.

    Attributes
    ----------
    dtype : dtype
        As which `read` gives the numbers, see `read_dtype`.
    """

    def __init__(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], piece_rows: int = 1,
        piece_starts: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.piece_starts = name, piece_starts
        self._lock = threading.Lock()
        self.shape = (int(shape[0]), math.prod(map(int, shape[1:])))
        self.dtype = read_dtype(dtype, name)
        self.piece_rows = max(1, min(int(piece_rows), self.shape[0]))

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    @property
    def nbytes(self) -> int:
        """Bytes of all rows in memory."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def read(self, start: int, stop: int, out: Array) -> None:
        """Write rows start … stop − 1 into out (stop − start, n), C-contiguous, of `dtype`.

        Raises
        ------
        DataError
            If the rows cannot be read, or are not what the source said that they are; what `out`
            then holds is not defined.
        """
        self.read_pieces([(start, stop)], out)

    def read_pieces(self, pieces: Sequence[tuple[int, int]], out: Array) -> None:
        """Write rows start … stop − 1 of each piece, one after another, into out (rows, n).

        As `read` does; a source with several threads shares all the pieces among them.
        """
        n_rows, parts = 0, []
        for start, stop in pieces:
            if not 0 <= start <= stop <= len(self):
                raise ValueError(f"there are no rows {start} … {stop} of {len(self)}")
            if start < stop:
                parts.append(Part(start, stop, out[n_rows : n_rows + stop - start]))
            n_rows += stop - start
        shape = (n_rows, self.shape[1])
        if out.shape != shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"{n_rows} rows do not fit into {out.dtype} {out.shape}")
        if not parts:
            return
        with self._lock:
            with self._explaining(parts[0].start, parts[-1].stop):
                self.check_unchanged()
            self._fill_parts(parts)

    def check_unchanged(self) -> None:
        """Refuse to go on where the rows are no longer those that were found at first.

        Raises
        ------
        DataError
            If a file has another size, time of change or inode than at first, or an object another
            shape or dtype.
        """

    def close(self) -> None:
        """Let go of files that the source has opened, and join its threads."""

    def _fill_parts(self, parts: Sequence[Part]) -> None:
        """Write the rows of all parts; each holds one at least. A source has this or `_fill`."""
        for start, stop, out in parts:
            with self._explaining(start, stop):
                self._fill(start, stop, out)

    def _fill(self, start: int, stop: int, out: Array) -> None:
        """Write rows start … stop − 1, of which there is one at least, into out."""
        raise NotImplementedError

    @contextmanager
    def _explaining(self, start: int, stop: int) -> Iterator[None]:
        """Turn what goes wrong while rows start … stop − 1 are read into a DataError."""
        try:
            yield
        except (FastnnError, MemoryError):
            raise
        except Exception as error:  # whatever another library's object raises
            raise self._fault(start, stop, f"{type(error).__name__}: {error!s:.200}") from error

    def _fault(self, start: int, stop: int, what: str) -> DataError:
        """Return the error that rows start … stop − 1 cannot be read."""
        what = " ".join(what.split()).rstrip(".")
        return DataError(f"{self.name} cannot be read in rows {start} … {stop - 1}: {what}")
