"""The cache on disk: one file for each compiled kernel, in a private folder of the user.

It replaces two parts of Numba's own cache. Numba compares only the source file of the cached
function, and so misses an edit of a function that this one calls; here the folder is named after a
digest of all kernel sources and of the versions that compile them. Numba numbers the files of a
function in an index; two processes that compile it at once for two dtypes can write the same
number, and a third would load the wrong code. Here a file is named after what it holds. It begins
with a checksum, because LLVM aborts the process on damaged code. The files are pickles, which run
code when they are loaded: therefore folder and files belong to the user alone.
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

#: [], [listener] or [False]. The listener is called once, before the process compiles the first
#: kernel that the cache does not hold; [False] says that this compilation has begun.
_listeners: list[Any] = []


def listen(listener):
    """Have `listener()` called when this process first compiles a kernel; None: call nobody.

    Nothing is called if a compilation has begun before.
    """
    if _listeners != [False]:
        _listeners[:] = [listener] if listener else []


@cache
def digest():
    """Return the cache folder's name: 20 hexadecimal digits of a SHA-256 digest.

    It covers all sources in `kernels`, the versions of Python, Numba, llvmlite and NumPy, the
    machine type, and whether debug mode is on.
    """
    folder = Path(__file__).resolve().parents[2]
    found = hashlib.sha256(b"checked" if DEBUG else b"")
    for version in (sys.version, platform.machine(), numba, llvmlite, np):
        found.update(str(getattr(version, "__version__", version)).encode())
    sources = sorted(folder.rglob("*.py")) or sorted(folder.rglob("*.pyc"))
    for path in sources or [path for path in folder.parents if path.is_file()]:  # a zip archive
        found.update(os.path.relpath(path, folder).encode() + path.read_bytes())
    return found.hexdigest()[:20]


def _home():
    """Return the user's home folder, or the null device for a user who has none.

    A folder below the null device cannot be made, so kernels then stay in memory. A shared folder
    is no alternative: its owner could replace the pickles in it.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


@cache
def cache_folder():
    """Return the absolute path of this digest's cache folder, which need not exist yet.

    It lies in the environment variable FASTNN_CACHE_DIR if that is set, else in the system's usual
    place for a user's caches.
    """
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
    """Warn, once for each `reason` (a text), that compiled kernels are not saved."""
    warnings.warn(
        f"fastnn keeps its compiled kernels in memory only: {reason}. Set FASTNN_CACHE_DIR to a "
        "folder of your own that can be written, and later starts need not compile again.",
        RuntimeWarning,
        stacklevel=2,
    )


def is_writable():
    """Make the cache folder if it is missing, and tell whether kernels can be saved there."""
    try:
        private_folder.make(cache_folder())
    except OSError:
        return False
    return os.access(cache_folder(), os.W_OK)


@cache
def _sweep_once():
    """Delete files that killed processes left half written; later calls do nothing."""
    private_folder.sweep(cache_folder())


class _Locator(_CacheLocator):
    """Tells Numba where a function's cache files lie, and when they are stale."""

    def __init__(self, function):
        """Note where `function` is defined."""
        self._line = function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def ensure_cache_path(self):
        """Make the cache folder; raise OSError where it cannot be written or is not private."""
        private_folder.make(cache_folder())
        _sweep_once()
        super().ensure_cache_path()

    def get_cache_path(self):
        """Return the cache folder as text."""
        return str(cache_folder())

    def get_source_stamp(self):
        """Return the digest; a cache file with another stamp is stale."""
        return digest()

    def get_disambiguator(self):
        """Return the function's line number, which tells functions of one name apart."""
        return str(self._line)

    @classmethod
    def from_function(cls, function, path):
        """Return a locator of `function`; `path`, its source file, is unused."""
        return cls(function)


class _Names(CompileResultCacheImpl):
    """Names the cache files of one function; unlike Numba's class it searches for no folder."""

    def __init__(self, function):
        """Set what Numba's constructor would: the locator and the beginning of file names."""
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function)
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _Files(IndexDataCacheFile):
    """Reads and writes the cache files of one function: one file for each key.

    A key is a tuple of argument types, the CPU's name and features, and hashes of the function's
    bytecode and closure. There is no index file, unlike in Numba's class.
    """

    def __init__(self, folder, base):
        """Use files in `folder` whose names begin with `base`."""
        super().__init__(folder, base, digest())
        self._base = base

    def _path(self, key):
        """Return the path of a key's file, which is named after a hash of the key.

        Types enter the hash by their names, for `AbiArray` and Numba's arrays share one repr.
        """
        name = hashlib.sha256(repr((*map(str, key[0]), *key[1:])).encode()).hexdigest()
        return self._data_path(f"{self._base}.{name[:20]}.nbc")

    def holds(self, key):
        """Tell whether the key has a file; the file is not read."""
        return os.path.exists(self._path(key))

    def save(self, key, data):
        """Write (key, data) as a pickle behind its SHA-256 digest, and replace an older file."""
        content = self._dump((key, data))
        private_folder.write(self._path(key), hashlib.sha256(content).digest() + content)

    def load(self, key):
        """Return the data saved for the key, or None.

        None stands for a file that is missing, damaged, of another key, or writable by other users;
        the next `save` replaces it.
        """
        content = private_folder.read(self._path(key))
        if content is None:
            return None
        checksum, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != checksum:
            return None
        found, data = pickle.loads(content)
        return data if found == key else None


class KernelCache(FunctionCache):
    """Numba's cache of one function, with files in `cache_folder()`.

    An error of the cache becomes a warning, and the function is compiled in memory.
    """

    _impl_class = _Names

    def __init__(self, function):
        """Open the cache of `function`, a Python function."""
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base)

    def holds(self, signature, context):
        """Tell whether the function's code for a signature (a tuple of Numba types) is saved.

        context: Numba's target context.
        """
        return self._enabled and self._cache_file.holds(
            self._index_key(signature, context.codegen())
        )

    def load_overload(self, sig, target_context):
        """Return the saved code of a signature, or None; then the listener is called, once.

        sig: a tuple of Numba types; target_context: Numba's target context.
        """
        try:
            private_folder.make(cache_folder())
            found = super().load_overload(sig, target_context)
        except Exception as error:  # files raise OSError, a damaged pickle can raise anything
            self._give_up(error)
            found = None
        if found is None:
            _announce()
        return found

    def save_overload(self, sig, data):
        """Save `data`, the compiled code of a signature; where that fails, warn instead."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        """Stop using this cache and warn, with the error's text as the reason."""
        self.disable()
        # `strerror` names no file: str(error) can name a temporary one and would warn each time.
        _warn(
            f"its cache failed ({type(error).__name__}: {getattr(error, 'strerror', '') or error})"
        )


def _announce():
    """Call the listener because a compilation begins, and forget it: it is called once only.

    Without a call of `listen` so far, nothing happens.
    """
    found, _listeners[:] = _listeners[:], [False] if _listeners else []
    for listener in found:
        if listener:
            listener()
