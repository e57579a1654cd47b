"""Claims: who runs which trial of a study file, so that several searches share its trials out.

A claim is a locked file beside the study, ``STUDY.trial-7``. The system lets go of the lock when
the process that holds it ends, however it ends, so a claim never outlives its owner and nothing
has to be guessed from times or process numbers. Processes of one machine see each other's locks;
those of several machines do where the file system they share passes locks on (NFS 4, Lustre with
``flock``). Where it knows no locks everything counts as free: two searches may then run the same
trial, which is lost time, for both find the same.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import time
import weakref
from collections.abc import Iterator
from typing import IO, Any

#: The errors by which systems say that another process has the lock.
LOCK_REFUSED = errno.EACCES, errno.EAGAIN, errno.EDEADLK
#: The byte that Windows locks: beyond the end of any study file.
LOCK_OFFSET = 2**30
#: Seconds between two looks at what other processes do.
POLL = 0.1


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; return False if it is locked already."""
    try:
        if os.name == "nt":
            msvcrt: Any = importlib.import_module("msvcrt")
            file.seek(LOCK_OFFSET)  # Windows lets nobody write to bytes that are locked
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl: Any = importlib.import_module("fcntl")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in LOCK_REFUSED
    return True


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Wait for the lock of a file, made where there is none, and hold it for a moment."""
    with open(path, "ab") as file:
        while not try_lock(file):
            time.sleep(POLL)
        yield


class Claims:
    """The trials of a study file that this search runs; without a path all trials are its own."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._files: dict[int, IO[bytes]] = {}
        _OPEN.add(self)

    def take(self, number: int) -> bool:
        """Claim a trial; return False if another search has it."""
        while self.path is not None:
            file = open(self._name(number), "ab")  # noqa: SIM115 - it stays open
            if not try_lock(file):
                file.close()
                return False
            if os.fstat(file.fileno()).st_nlink:
                self._files[number] = file
                break
            file.close()  # its owner removed it before it was locked here
        return True

    def release(self, number: int) -> None:
        """Let others have a trial that this search has claimed."""
        file = self._files.pop(number, None)
        if file is None:
            return
        if os.name == "nt":
            file.close()  # Windows removes nothing that is open
        with contextlib.suppress(OSError):
            os.unlink(self._name(number))
        file.close()

    def release_all(self) -> None:
        """Let others have every trial that is still claimed."""
        for number in list(self._files):
            self.release(number)

    def forget(self) -> None:
        """Close the files of a forked child, which owns none of its parent's claims."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _name(self, number: int) -> str:
        return f"{self.path}.trial-{number}"


#: Those of this process: a fork copies their open files, and the lock with them.
_OPEN: weakref.WeakSet[Claims] = weakref.WeakSet()


def _forget_after_fork() -> None:
    for claims in _OPEN:
        claims.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
