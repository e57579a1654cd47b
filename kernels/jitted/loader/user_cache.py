"""The user's cache: a private folder with one file for each piece of object code.

The folder is named after a digest of all that decides what compiled code does: the kernels'
sources, the versions that compile them, and the CPU target. A file is named after what it holds, so
that processes which compile at once never replace each other's code. Folder and files belong to the
user alone, because the code in them is executed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from functools import cache
from pathlib import Path

from . import private_folder
from .manifest import Manifest
from .sealed_file import seal, unseal


def _home():
    """Return the Path of the user's home folder, or of the null device for a user who has none.

    A folder below the null device cannot be made; kernels then stay in memory. A shared folder is
    no alternative: its owner could replace the code in it.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


@cache
def base_folder():
    """Return the absolute Path of the folder that holds the cache of each digest.

    It is the environment variable FASTNN_CACHE_DIR if that is set, else lies in the system's usual
    place for a user's caches.
    """
    chosen = os.environ.get("FASTNN_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache")
    return base.absolute() / "fastnn"


@cache
def _warn(reason):
    """Warn that compiled kernels are not saved, once for each `reason`, a str."""
    warnings.warn(
        f"fastnn keeps its compiled kernels in memory only: {reason}. Set FASTNN_CACHE_DIR to a "
        "folder of your own that can be written, and later starts need not compile again.",
        RuntimeWarning,
        stacklevel=2,
    )


class UserCache:
    """The object code that this user's processes have compiled, by name.

    Where a file cannot be written, its code stays in the memory of this process, with a warning.
    """

    def __init__(self, digest):
        """Use the folder of a digest, a str of hexadecimal digits; it need not exist yet."""
        self.folder = base_folder() / digest
        self._in_memory = {}
        self._manifest: Manifest | None = None
        self._swept = False

    def _path(self, name):
        """Return the Path of the file with an object's code."""
        return self.folder / f"{name.replace(' ', '-')}.code"

    def is_writable(self):
        """Make the folder if it is missing; return a bool: whether code can be saved in it."""
        try:
            private_folder.make(self.folder)
        except OSError:
            return False
        return os.access(self.folder, os.W_OK)

    def holds(self, name):
        """Return a bool: whether there is code of that name; its file is not read."""
        return name in self._in_memory or os.path.exists(self._path(name))

    def read(self, name):
        """Return the code of an object, or None.

        None: the file is missing, damaged, of another name, or others could have written it; the
        next `write` replaces it.
        """
        if name in self._in_memory:
            return self._in_memory[name]
        content = self._content(name)
        found = unseal(content) if content is not None else None
        return found[1] if found and found[0] == name else None

    def _content(self, name):
        """Return the bytes of a file, or None if there is none that can be trusted."""
        try:
            if private_folder.POSIX:
                private_folder.refuse_shared(self.folder)
            return private_folder.read(self._path(name))
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._give_up(error)
            return None

    def write(self, name, code):
        """Save the code of an object; where that fails, keep it in memory, and warn."""
        try:
            private_folder.make(self.folder)
            if not self._swept:
                private_folder.sweep(self.folder)
                self._swept = True
            private_folder.write(os.fspath(self._path(name)), seal(name, code))
        except OSError as error:
            self._in_memory[name] = code
            self._give_up(error)

    def _give_up(self, error):
        """Warn that code is not saved; error: an OSError, the warning's reason."""
        # `strerror` names no file: str(error) can name a temporary one and would warn each time.
        _warn(f"its cache failed ({type(error).__name__}: {error.strerror or error})")

    @property
    def manifest(self):
        """The Manifest that a process has saved, or None; once found it is kept."""
        if self._manifest is None and (content := self._content("manifest")) is not None:
            with contextlib.suppress(TypeError, ValueError):  # not what `save_manifest` writes
                lists, _ = unseal(content)
                self._manifest = Manifest.from_json(lists)
        return self._manifest

    def save_manifest(self, manifest):
        """Save the Manifest for later processes; where that fails, they import the sources."""
        with contextlib.suppress(OSError):
            private_folder.make(self.folder)
            path = os.fspath(self._path("manifest"))
            private_folder.write(path, seal(manifest.as_json(), b""))
