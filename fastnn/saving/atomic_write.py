"""Atomic replacement: a file is written whole beside the old one, then takes its place.

The new file has the permissions of the one that it replaces. A temporary is locked for as long as
it has its name, so what a killed process left behind is told from what a living one writes: the
sweep takes only what nobody has locked. Where the system has no such locks nothing is swept.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = re.compile(r"\.fastnn-[0-9a-f]{16}\.tmp")
fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None


def find_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path, links followed, if a file may be put or replaced there."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{path.parent}' to save into; make it first")
    if not path.exists():
        return path
    if not path.is_file():
        raise OSError(f"'{path}' is no ordinary file and is not replaced; save under another name")
    # The mode is looked at as well, for root may write whatever it says.
    if not path.stat().st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        raise PermissionError(
            f"'{path}' is read-only and is not replaced; allow writing to it (chmod u+w), or save "
            "under another name"
        )
    return path


def replace(
    path: str | os.PathLike[str], content: Callable[[BinaryIO], object], what: str = "the model"
) -> None:
    """Write a file beside `path`, links followed, and move it there once the disk has it.

    Parameters
    ----------
    path : str or path
        A file there lends the new one its mode, and its owner and group where the system lets it.
    content : callable
        Is given the open file and writes what it shall hold.
    what : str
        What the error says was not saved.

    Raises
    ------
    PermissionError
        If the file there is read-only, also for root.
    OSError
        If the file cannot be written; an old one is as it was, and nothing lies beside it.
    """
    path = find_folder(path)
    _sweep(path.parent)
    temporary = None
    try:
        temporary, file = _create(path.parent, 0o600 if path.exists() else 0o666)
        with file:
            if path.exists():
                _lend_permissions(path, temporary)
            content(file)
            file.flush()
            os.fsync(file.fileno())
            if fcntl:
                os.replace(temporary, path)  # while it is locked
        if not fcntl:
            os.replace(temporary, path)  # Windows moves only what is closed
    except BaseException as error:
        if temporary:
            with suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(
                error.errno, f"{what} was not saved ({error.strerror})", str(path)
            ) from error
        raise
    _sync_folder(path.parent)


def write_text(path: str | os.PathLike[str], text: str, what: str) -> None:
    """Replace a file by text in UTF-8; raises what `replace` raises."""
    replace(path, lambda file: file.write(text.encode()), what)


def _create(folder: Path, mode: int) -> tuple[Path, BinaryIO]:
    """Make a temporary in a folder, locked and open; the umask is taken off its mode."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        path = folder / f".fastnn-{secrets.token_hex(8)}.tmp"
        file = os.fdopen(os.open(path, flags, mode), "wb")
        if fcntl:
            with suppress(OSError):  # some file systems have no locks: there nothing is swept
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # swept before it was locked


def _lend_permissions(old: Path, new: Path) -> None:
    """Give a new file the owner, the mode and the access list of an old one."""
    theirs, mine = old.stat(), new.stat()
    if hasattr(os, "chown") and (theirs.st_uid, theirs.st_gid) != (mine.st_uid, mine.st_gid):
        for owner in (-1, theirs.st_uid):  # the group may be given by more people than the owner
            with suppress(OSError):
                os.chown(new, owner, theirs.st_gid)
    shutil.copystat(old, new)
    if new.stat().st_gid != theirs.st_gid:  # our own group must not read what theirs could
        new.chmod(stat.S_IMODE(theirs.st_mode) & ~stat.S_IRWXG)


def _sync_folder(folder: Path) -> None:
    """Have the disk note a new name, where the system can; the file is in its place already."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove the temporaries that killed processes of this user left in a folder."""
    if not fcntl:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError), Path(entry.path).open("rb") as file:
                    if os.fstat(file.fileno()).st_uid == os.geteuid():
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(entry.path)
