"""Opens an HDF5 file for reading; what goes wrong is told by its cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastnn._validation.data_files import is_system_error
from fastnn.errors import DataFileError


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open `path` as an h5py.File within a `with` block, and translate its errors there.

    Raises
    ------
    DataFileError
        If the file is not HDF5, is being written, or cannot be understood.
    OSError
        If the system refuses: no permission, no more open files, a failing disk.
    """
    import h5py  # not at the top: importing fastnn must not wait for it

    with path.open("rb"):  # the system's own words where the file must not be read
        pass
    if not h5py.is_hdf5(path):
        raise DataFileError(
            f"'{path}' is not an HDF5 file ({path.stat().st_size} bytes); was it downloaded whole, "
            f"and not as a web page?"
        )
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        told = _explain(error)
        if told is None:
            raise
        raise DataFileError(f"'{path}' {told} (HDF5 says: {error})") from error


def _explain(error: Exception) -> str | None:
    """Return what an error of h5py means, as the end of a sentence; None if it is the system's."""
    text = str(error)
    if "unable to lock file" in text:
        return (
            "is locked, as a rule because another program has it open for writing; close it "
            "there, or set HDF5_USE_FILE_LOCKING=FALSE before Python starts if nothing writes it "
            "or its file system knows no locks"
        )
    if "already open for" in text:
        return (
            "is marked as open for writing; close it in the program that writes it, or, if that "
            "was killed, remove the mark with the HDF5 tool h5clear -s"
        )
    if is_system_error(error):
        return None
    return "is damaged or cut short; fetch it again"
