"""Atomic replacement: a file is written whole beside the old one, then takes its place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def find_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path, links followed, if there is a folder for it and no folder in its place."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{path.parent}' to save into; make it first")
    if path.exists() and not path.is_file():
        raise OSError(f"'{path}' is no ordinary file and is not replaced; save under another name")
    return path


def replace(path: str | os.PathLike[str], content: Callable[[BinaryIO], None]) -> None:
    """Write a file beside `path`, links followed, and move it there once the disk has it.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is as it was, and nothing lies beside it.
    """
    path = find_folder(path)
    temporary = path.parent / f".fastnn-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            content(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(
                error.errno, f"the model was not saved ({error.strerror})", str(path)
            ) from error
        raise
