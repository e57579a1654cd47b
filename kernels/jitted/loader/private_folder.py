"""Private folders and files: only this user and the administrator can replace their content.

The user's cache holds code that is executed, and whoever could put a file there could run code as
this user. The functions therefore check every folder and symbolic link on the path to the cache,
and each file after it was opened. On Windows they check nothing, because it keeps users' folders
apart. "Status" means the result of `os.stat`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from pathlib import Path

POSIX = os.name == "posix"
SHARED = stat.S_IWGRP | stat.S_IWOTH  # mode bits: the group or all users may write
LINKS = 40  # symbolic links that a path may lead through at most; Linux has this limit, too

TEMPORARY = ".tmp."  # part of the names of files that are being written
ABANDONED = 3600  # age in seconds from which a temporary file is one that a killed process left


def _owned(status):
    """Return a bool: whether this user or root owns a file; status: its os.stat_result."""
    return status.st_uid in (0, os.geteuid())


def _alone(group):
    """Return a bool: whether a group has the user's name and no member but the user.

    group: the group's number. Many systems make a group of this kind for each user.
    """
    import grp
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == user and set(found.gr_mem) <= {user}


def _closed(status):
    """Return a bool: whether a path is a folder where no other user can replace this user's files.

    status: the path's os.stat_result. A folder with the sticky bit, like /tmp, counts: other users
    can add files to it, but not replace files of this user.
    """
    mode = status.st_mode
    if not _owned(status) or not stat.S_ISDIR(mode):
        return False
    if mode & stat.S_ISVTX or not mode & SHARED:
        return True
    return not mode & stat.S_IWOTH and _alone(status.st_gid)


def _way(folder):
    """Yield (Path, its lstat, an os.stat_result) for each step from the root to `folder`.

    folder: an absolute Path. After a symbolic link come the steps of the path that it names. Raises
    OSError after more than LINKS links, and where a step is missing.
    """
    place, rest, links = Path(folder.anchor), list(folder.parts[1:]), 0
    yield place, place.lstat()
    while rest:
        place /= rest.pop(0)
        status = place.lstat()
        yield place, status
        if stat.S_ISLNK(status.st_mode):
            target, links = Path(os.readlink(place)), links + 1
            if links > LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
            rest[:0] = target.parts[1:] if target.is_absolute() else target.parts
            place = Path(target.anchor) if target.is_absolute() else place.parent


def _home():
    """Return the os.stat_result of the user's home folder, or None if it cannot be read."""
    try:
        return Path.home().stat()
    except (OSError, RuntimeError):
        return None


def refuse_shared(folder):
    """Raise an error unless `folder`, an absolute Path that exists, is private to this user.

    No other user may own a step of its path or be able to write into one. For a folder in the
    user's home the steps above the home are not judged: they are the administrator's concern.

    Raises
    ------
    PermissionError
        Its text names the step of the path that others own or can write, or `folder` if that is a
        symbolic link.
    """
    # `wrong`: the first folder or link on the path that others own or can write. `above`: one that
    # does not count if the home folder comes later on the path.
    home, wrong, above = _home(), None, None
    for place, status in _way(folder):
        link = stat.S_ISLNK(status.st_mode)
        if not (_owned(status) if link else _closed(status)):
            above = above or place
        elif home and os.path.samestat(status, home):
            above = None
        if link or place.name == "..":  # passing the home again excuses no earlier step
            wrong, above = wrong or above, None
    wrong, status = wrong or above, folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise PermissionError(f"{folder} is a link")
    if wrong or status.st_mode & SHARED:
        raise PermissionError(
            f"{wrong or folder} is not private to this user: others own it or can write there"
        )


def make(folder):
    """Make `folder`, an absolute Path, and its missing parents, with access for this user only.

    Raises
    ------
    OSError
        If it cannot be made, or (a PermissionError) if it is not private to this user.
    """
    missing, place = [], folder
    while not os.path.lexists(place):
        missing.append(place)
        place = place.parent
    for place in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process has made it meanwhile
            place.mkdir(mode=0o700)
    if POSIX:
        refuse_shared(folder)


def read(path):
    """Return the content of the file at `path` (a str or Path), as bytes, or None.

    None: the file is missing, a symbolic link, no regular file, owned by another user, or writable
    by others. Raises OSError where reading fails.
    """
    flags = os.O_RDONLY
    for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):  # O_NOFOLLOW's errors for a symbolic link
            return None
        raise
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        alien = POSIX and (not _owned(status) or status.st_mode & SHARED)
        return None if alien or not stat.S_ISREG(status.st_mode) else file.read()


def write(path, content, mode=0o600):
    """Write `content` (bytes) to a file at `path` (a str), by default for this user alone.

    mode: the file's permissions. An older file is replaced in one step: no process ever reads a
    part of the new one.
    """
    temporary = f"{path}{TEMPORARY}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(temporary, flags, mode), "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sweep(folder):
    """Delete temporary files in `folder` (a path) that are older than ABANDONED seconds.

    A process that is killed while it writes leaves them.
    """
    now = time.time()
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(OSError):  # another process has deleted it meanwhile
            age = now - entry.stat(follow_symlinks=False).st_mtime
            if TEMPORARY in entry.name and age > ABANDONED:
                os.unlink(entry.path)
