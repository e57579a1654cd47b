"""OpenFile: bytes of a file at any place, and whether it is still the file it was."""

from __future__ import annotations

import os
import threading
from typing import Any, NamedTuple, Self

from fastnn.errors import DataError


class FileState(NamedTuple):
    """What tells one state of a file from another."""

    size: int
    modified: int
    inode: tuple[int, int]

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Return the state that the system tells."""
        return cls(status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino))


def check_same_file(path: str, before: FileState, now: FileState, name: str) -> None:
    """Refuse a file that has another size, time of change or inode than before.

    name: the argument that it belongs to.
    """
    if now == before:
        return
    what = "has changed, being written to,"
    if now.inode != before.inode:
        what = "was replaced by another file"
    elif now.size != before.size:
        what = f"has changed, from {before.size} to {now.size} bytes,"
    raise DataError(
        f"{name} lies in the file '{path}', which {what} while it was read; train on a file that "
        "nothing writes to"
    )


class OpenFile:
    """A file opened for reading; any number of threads may read at once.

    Parameters
    ----------
    path : str
        The file.
    name : str
        The argument that it belongs to, for messages.

    Raises
    ------
    OSError
        If the system does not let it be opened.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = os.path.abspath(path), name
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115  # until `close`
        self._lock = threading.Lock()
        self._state = FileState.of(os.fstat(self._file.fileno()))

    def is_same_as(self, descriptor: int) -> bool:
        """Return whether another descriptor of this process belongs to the same file."""
        return os.path.sameopenfile(self._file.fileno(), descriptor)

    def read_into(self, place: int, out: Any) -> None:
        """Fill a writable buffer from a place on.

        Raises
        ------
        DataError
            If the file ends before.
        """
        view = memoryview(out).cast("B")
        done = 0
        with self._lock:
            self._file.seek(place)
            while done < len(view):  # systems read some 2 GiB at a time
                got = self._file.readinto(view[done:])
                if not got:
                    raise self._cut_short(place + len(view))
                done += got

    def read(self, place: int, size: int) -> bytearray:
        """Return `size` bytes from a place on, as `read_into` reads them."""
        if place + size > self._state.size:  # whatever a damaged file claims
            raise self._cut_short(place + size)
        out = bytearray(size)
        self.read_into(place, out)
        return out

    def _cut_short(self, end: int) -> DataError:
        """Return the error that bytes up to `end` are not there."""
        size = os.fstat(self._file.fileno()).st_size
        return DataError(
            f"{self.name} lies in the file '{self.path}' up to byte {end}, and the file has {size} "
            "bytes; it is cut short: fetch or write it again"
        )

    def check_unchanged(self) -> None:
        """Refuse a file that has another size, time of change or inode than when it was opened."""
        try:
            now = FileState.of(os.stat(self.path))
        except FileNotFoundError:  # removed while open: what was in it is still there
            now = FileState.of(os.fstat(self._file.fileno()))
        except OSError as error:
            raise DataError(f"{self.name} lies in the file '{self.path}': {error}") from error
        check_same_file(self.path, self._state, now, self.name)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
