"""The objective on its way to workers: what all trials share is sent to each of them once.

A task names its parcel by a key. A worker that does not know it asks for it by returning None, and
gets the task again with the parcel: first in files, which workers of one machine map into memory
and so share, then, where those are out of sight, as bytes. Threads find it in memory.

Parcels are pickles. A worker trusts whoever gives it tasks, which are pickles themselves; the files
stand in a folder that only this user may enter, under the key, which nobody else can know.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pickle
import secrets
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.errors import SettingError

#: Parcels by their key: those that a search of this process has opened.
_OPENED: dict[str, Any] = {}
#: The parcel that this process was sent last, by its key.
_RECEIVED: dict[str, Any] = {}


class _Pickler(pickle.Pickler):
    """Pickles a data set of h5py as its place in its file."""

    def reducer_override(self, value: Any) -> Any:
        if type(value).__module__.startswith("h5py.") and type(value).__name__ == "Dataset":
            return _open_dataset, (os.path.abspath(value.file.filename), value.name)
        return NotImplemented


class _FilePickler(_Pickler):
    """Pickles a memory map as the place of its file, too; other arrays are handed out.

    A map in mode "c" differs from its file by what was written to it, and is an array like others.
    """

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.memmap:
            return super().reducer_override(value)
        whole = isinstance(value.base, mmap.mmap) and value.filename is not None
        if not whole or value.mode == "c":
            return np.asarray(value).__reduce_ex__(5)
        if value.mode != "r":
            value.flush()  # another machine reads the file, not this one's memory
        order = "C" if value.flags.c_contiguous else "F"
        return np.memmap, (value.filename, value.dtype, "r", value.offset, value.shape, order)


def _open_dataset(path: str, name: str) -> Any:
    """Return a data set of an HDF5 file, which stays open as long as that is used."""
    import h5py  # where the data set was made it is imported

    return h5py.File(path, "r")[name]


class Parcel:
    """An objective, opened for this process and packed for others when one of them asks."""

    def __init__(self, objective: Any) -> None:
        self.key = secrets.token_hex(16)
        self.objective = objective
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._bytes: bytes | None = None
        _OPENED[self.key] = objective

    def pack(self, carried: str | bytes | None) -> str | bytes:
        """Return what a task carries to a worker that could not open what it carried before."""
        check_picklable(self.objective.make_network, "make_network")
        if carried is None and self._bytes is None:
            with contextlib.suppress(OSError):  # no room for files
                return self._in_files()
        if self._bytes is None:
            found = io.BytesIO()
            _Pickler(found, protocol=5).dump(self.objective)
            self._bytes = found.getvalue()
        return self._bytes

    @property
    def carried(self) -> str | None:
        """What tasks carry from the start: the folder, once there is one."""
        return None if self._folder is None else self._folder.name

    def close(self) -> None:
        """Remove the files, and forget the objective."""
        _OPENED.pop(self.key, None)
        if self._folder is not None:
            self._folder.cleanup()

    def _in_files(self) -> str:
        if self._folder is None:
            folder = tempfile.TemporaryDirectory("-fastnn", ignore_cleanup_errors=True)
            try:
                _write(self.objective, Path(folder.name), self.key)
            except BaseException:
                folder.cleanup()
                raise
            self._folder = folder
        return self._folder.name


def check_picklable(value: Any, name: str) -> None:
    """Refuse what cannot be sent to another process."""
    try:
        pickle.dumps(value)
    except Exception as error:
        raise SettingError(
            f"with several processes {name} must be a function that stands in a module, for "
            f"it is sent to them; got {value!r}"
        ) from error


def open_parcel(key: str, carried: str | bytes | None) -> Any:
    """Return the objective of that key, or None where this process needs it to be sent."""
    objective = _OPENED.get(key, _RECEIVED.get(key))
    if objective is not None:
        return objective
    if isinstance(carried, bytes):
        objective = pickle.loads(carried)
    elif carried is not None:
        with contextlib.suppress(FileNotFoundError):  # a machine that does not see the folder
            objective = _read(Path(carried), key)
    if objective is not None:
        _RECEIVED.clear()
        _RECEIVED[key] = objective
    return objective  # another thread may have cleared what was received


def opened_here(key: str, owner: int) -> bool:
    """Return whether this process opened the parcel of that key, as process number `owner`.

    Another machine's process can have the same number, and a forked one the same parcels.
    """
    return os.getpid() == owner and key in _OPENED


def _write(objective: Any, folder: Path, key: str) -> None:
    """Write an objective into a folder: the arrays one by one, then what refers to them."""
    buffers: list[pickle.PickleBuffer] = []
    index = io.BytesIO()
    _FilePickler(index, protocol=5, buffer_callback=buffers.append).dump(objective)
    for place, buffer in enumerate(buffers):
        (folder / f"{place}.array").write_bytes(buffer.raw())
    (folder / f"{key}.pickle").write_bytes(index.getvalue())


def _read(folder: Path, key: str) -> Any:
    """Return the objective that a folder holds, its arrays mapped into memory, copied on write."""
    index = (folder / f"{key}.pickle").read_bytes()
    paths = [folder / f"{place}.array" for place in range(len(list(folder.glob("*.array"))))]
    return pickle.loads(index, buffers=[_map(path) for path in paths])


def _map(path: Path) -> Any:
    """Return the bytes of a file; an empty one cannot be mapped."""
    return np.memmap(path, np.uint8, "c") if path.stat().st_size else bytearray()
