"""The cache on disk: compiled kernels in a private folder of the user, a file for each.

Numba stamps a cached function with its own file only, and an edit in a helper elsewhere would leave
the caller stale: this cache's folder is named after a digest of all kernel sources and of the
versions that compile them. Numba also numbers the files of a function in an index; two processes
that compile it at once for two dtypes can take one number for both, and a later one would load the
wrong code. Here files are named after what they hold, and begin with a checksum: LLVM aborts the
process over damaged code. Cache files are pickles, hence the private folders and files.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    _CacheLocator,
)

from ...debug import DEBUG
from . import private_folder

#: Holds at most one function, to be called before the first compilation that no cache saves; False
#: once that has happened.
_listeners: list[Any] = []


def listen(listener):
    """Call `listener()` when a compilation begins, unless one began before; None: call nobody."""
    if _listeners != [False]:
        _listeners[:] = [listener] if listener else []


@cache
def digest():
    """Return the name of the cache folder: a digest of all sources and of what compiles them."""
    folder = Path(__file__).resolve().parents[2]
    found = hashlib.sha256(b"checked" if DEBUG else b"")
    for version in (sys.version, platform.machine(), numba, llvmlite, np):
        found.update(str(getattr(version, "__version__", version)).encode())
    sources = sorted(folder.rglob("*.py")) or sorted(folder.rglob("*.pyc"))
    for path in sources or [path for path in folder.parents if path.is_file()]:  # a zip archive
        found.update(os.path.relpath(path, folder).encode() + path.read_bytes())
    return found.hexdigest()[:20]


def _home():
    """Return the user's home; for a user without one, a path where nothing can be kept.

    A shared folder would not do: who owns one above the cache can exchange its pickles.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


@cache
def cache_folder():
    """Return the folder of compiled kernels; FASTNN_CACHE_DIR moves it."""
    chosen = os.environ.get("FASTNN_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute() / digest()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache")
    return base.absolute() / "fastnn" / digest()


@cache
def _warn(reason):
    """Warn once, for each reason, that kernels stay in memory."""
    warnings.warn(
        f"fastnn keeps its compiled kernels in memory only: {reason}. Set FASTNN_CACHE_DIR to a "
        "folder of your own that can be written, and later starts need not compile again.",
        RuntimeWarning,
        stacklevel=2,
    )


def is_writable():
    """Tell whether kernels that other processes compile can be kept for this one."""
    try:
        private_folder.make(cache_folder())
    except OSError:
        return False
    return os.access(cache_folder(), os.W_OK)


@cache
def _sweep_once():
    """Delete, once in a process that saves, what killed processes have left half written."""
    private_folder.sweep(cache_folder())


class _Locator(_CacheLocator):
    """Tells Numba where our cache lies and what makes an entry stale."""

    def __init__(self, function):
        self._line = function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def ensure_cache_path(self):
        private_folder.make(cache_folder())
        _sweep_once()
        super().ensure_cache_path()

    def get_cache_path(self):
        return str(cache_folder())

    def get_source_stamp(self):
        return digest()

    def get_disambiguator(self):
        return str(self._line)

    @classmethod
    def from_function(cls, function, path):
        return cls(function)


class _Names(CompileResultCacheImpl):
    """The names of one function's files; Numba's own search for a writable folder is left out."""

    def __init__(self, function):
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function)
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _Files(IndexDataCacheFile):
    """The files of one function, each named after its key: signature, CPU, code and closure.

    Numba's index is not used.
    """

    def __init__(self, folder, base):
        super().__init__(folder, base, digest())
        self._base = base

    def _path(self, key):
        """Return a key's file, named after its types' names: two kinds of arrays have one repr."""
        name = hashlib.sha256(repr((*map(str, key[0]), *key[1:])).encode()).hexdigest()
        return self._data_path(f"{self._base}.{name[:20]}.nbc")

    def holds(self, key):
        """Tell whether there is a file of the key."""
        return os.path.exists(self._path(key))

    def save(self, key, data):
        content = self._dump((key, data))
        private_folder.write(self._path(key), hashlib.sha256(content).digest() + content)

    def load(self, key):
        """Return what is kept of the key; None if it is damaged, another key's, or not private.

        A file that is not returned is replaced by the next `save`.
        """
        content = private_folder.read(self._path(key))
        if content is None:
            return None
        seal, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != seal:
            return None
        found, data = pickle.loads(content)
        return data if found == key else None


class KernelCache(FunctionCache):
    """Numba's cache of one function, in our folder; trouble with files never stops a fit."""

    _impl_class = _Names

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base)

    def holds(self, signature, context):
        """Tell whether a compiled overload is kept."""
        return self._enabled and self._cache_file.holds(
            self._index_key(signature, context.codegen())
        )

    def load_overload(self, sig, target_context):
        """Return the compiled code of a signature, or None where the cache has none."""
        try:
            private_folder.make(cache_folder())
            found = super().load_overload(sig, target_context)
        except Exception as error:  # of files, and whatever a pickle can raise
            self._give_up(error)
            found = None
        if found is None:
            _announce()
        return found

    def save_overload(self, sig, data):
        """Keep the compiled code of a signature, where the folder can be written."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        """Compile in memory from here on."""
        self.disable()
        # An OSError's own text can hold the name of a temporary file, each time another.
        _warn(
            f"its cache failed ({type(error).__name__}: {getattr(error, 'strerror', '') or error})"
        )


def _announce():
    """Call the listener, for a compilation begins: once a process, but not before one listens."""
    found, _listeners[:] = _listeners[:], [False] if _listeners else []
    for listener in found:
        if listener:
            listener()
