"""Private folders and files: nobody but their user and the administrator can exchange them.

What the cache holds is run, so whoever could put a file there could run code as this user. Looked
at are all folders on the way, the links among them, and each file after it was opened. Windows
keeps users' folders apart by itself.
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
SHARED = stat.S_IWGRP | stat.S_IWOTH
LINKS = 40  # on the way to a folder, at most; as Linux allows

TEMPORARY = ".tmp."  # in names of files that are being written
ABANDONED = 3600  # seconds after which nobody writes such a file any more


def _owned(status):
    """Tell whether this user or the administrator owns what has this status."""
    return status.st_uid in (0, os.geteuid())


def _alone(group):
    """Tell whether a group is this user's own, as many systems give one to each user."""
    import grp
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == user and set(found.gr_mem) <= {user}


def _closed(status):
    """Tell whether nobody else can exchange what lies in the folder of this status.

    In a sticky one, like /tmp, others can put files beside ours, but not in their place.
    """
    mode = status.st_mode
    if not _owned(status) or not stat.S_ISDIR(mode):
        return False
    if mode & stat.S_ISVTX or not mode & SHARED:
        return True
    return not mode & stat.S_IWOTH and _alone(status.st_gid)


def _way(folder):
    """Yield (path, its lstat) of what leads to an absolute folder, links and what they name."""
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
    """The lstat of the user's home, or None."""
    try:
        return Path.home().stat()
    except (OSError, RuntimeError):
        return None


def refuse_shared(folder):
    """Refuse a folder that somebody else could have exchanged, or put files into.

    What lies above the user's home is the administrator's concern, whoever owns it by number.

    Raises
    ------
    PermissionError
        Naming the part of the way that others can write, or own.
    """
    home, wrong, above = _home(), None, None  # above: what is wrong, unless the home lies in it
    for place, status in _way(folder):
        link = stat.S_ISLNK(status.st_mode)
        if not (_owned(status) if link else _closed(status)):
            above = above or place
        elif home and os.path.samestat(status, home):
            above = None
        if link or place.name == "..":  # from here the way may lead through the home once more
            wrong, above = wrong or above, None
    wrong, status = wrong or above, folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise PermissionError(f"{folder} is a link")
    if wrong or status.st_mode & SHARED:
        raise PermissionError(
            f"{wrong or folder} is not private to this user: others own it or can write there"
        )


def make(folder):
    """Make an absolute folder, and what is missing above it, for this user alone.

    Raises
    ------
    OSError
        Also where it is there and others could write into it.
    """
    missing, place = [], folder
    while not os.path.lexists(place):
        missing.append(place)
        place = place.parent
    for place in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was faster
            place.mkdir(mode=0o700)  # whatever the umask
    if POSIX:
        refuse_shared(folder)


def read(path):
    """Return the bytes of a file; None of one that is missing, a link, or writable by others."""
    flags = os.O_RDONLY
    for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):  # what systems say of a link
            return None
        raise
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        alien = POSIX and (not _owned(status) or status.st_mode & SHARED)
        return None if alien or not stat.S_ISREG(status.st_mode) else file.read()


def write(path, content):
    """Write a file for this user alone; what was there is replaced, in one piece."""
    temporary = f"{path}{TEMPORARY}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sweep(folder):
    """Delete files that processes were writing into the folder when they were killed."""
    now = time.time()
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(OSError):  # another process was faster
            age = now - entry.stat(follow_symlinks=False).st_mtime
            if TEMPORARY in entry.name and age > ABANDONED:
                os.unlink(entry.path)
