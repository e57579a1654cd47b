"""OpenFile: bytes of a file at any place, and whether it is still the file it was."""

from __future__ import annotations

import os
import threading
from typing import Any

from fastnn.errors import DataError


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
        self._stamp = _stamp(os.fstat(self._file.fileno()))

    def is_same_as(self, descriptor: int) -> bool:
        """Return whether another descriptor of this process belongs to the same file."""
        return os.path.sameopenfile(self._file.fileno(), descriptor)

    def read_into(self, place: int, out: Any) -> int:
        """Fill a writable buffer from a place on; return the bytes, fewer at the file's end."""
        view = memoryview(out).cast("B")
        done = 0
        with self._lock:
            self._file.seek(place)
            while done < len(view):  # systems read some 2 GiB at a time
                got = self._file.readinto(view[done:])
                if not got:
                    break
                done += got
        return done

    def check_unchanged(self) -> None:
        """Refuse a file that has another size, time of change or inode than when it was opened."""
        try:
            now = _stamp(os.stat(self.path))
        except FileNotFoundError:  # removed while open: what was in it is still there
            now = _stamp(os.fstat(self._file.fileno()))
        if now != self._stamp:
            what = "was replaced by another file"
            if now["inode"] == self._stamp["inode"]:
                what = f"has changed, {_difference(self._stamp, now)},"
            raise DataError(
                f"{self.name} lies in the file '{self.path}', which {what} while it was read; "
                "train on a file that nothing writes to"
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _stamp(status: os.stat_result) -> dict[str, Any]:
    """Return what tells one state of a file from another."""
    return {
        "bytes": status.st_size,
        "modified": status.st_mtime_ns,
        "inode": (status.st_dev, status.st_ino),
    }


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return how two states of one file differ."""
    if before["bytes"] != now["bytes"]:
        return f"from {before['bytes']} to {now['bytes']} bytes"
    return "being written to"
