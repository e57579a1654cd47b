"""Checks of data files: paths, and errors of the system told from damage of a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from fastnn.errors import DataFileError

#: Bytes that one byte of deflate can decompress to, at most.
MAX_DEFLATE_RATIO = 1032


def is_system_error(error: Exception) -> bool:
    """Return whether an error comes from the system (permissions, limits, disks), not from a file.

    A damaged file can make a parser ask for impossible places, which the system refuses too.
    """
    impossible = (None, errno.EINVAL, errno.EFAULT, errno.EFBIG, errno.EOVERFLOW)
    return isinstance(error, OSError) and error.errno not in impossible


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path to a file that exists."""
    file = Path(path)
    if file.is_dir():
        raise DataFileError(f"'{file}' is a folder; pass the path of a file in it")
    if not file.exists():
        raise FileNotFoundError(
            f"there is no file '{file}'; a relative path starts from {Path.cwd()}"
        )
    if not file.is_file():
        raise DataFileError(f"'{file}' is a device or a pipe; pass the path of a plain file")
    return file
