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
    """Have listener() called before this process first compiles a kernel.

    listener: a function, or None to call nobody. If a compilation has begun before, the listener is
    never called.
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
    """Return the Path of the user's home folder, or of the null device for a user who has none.

    A folder below the null device cannot be made; kernels then stay in memory. A shared folder is
    no alternative: its owner could replace the pickles in it.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


@cache
def cache_folder():
    """Return the absolute Path of the cache folder named after `digest()`; it need not exist yet.

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
    """Warn that compiled kernels are not saved, once for each `reason`, a str."""
    warnings.warn(
        f"fastnn keeps its compiled kernels in memory only: {reason}. Set FASTNN_CACHE_DIR to a "
        "folder of your own that can be written, and later starts need not compile again.",
        RuntimeWarning,
        stacklevel=2,
    )


def is_writable():
    """Make the cache folder if it is missing; return a bool, whether kernels can be saved in it."""
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
        """Note the line and the source file of `function`, a Python function."""
        self._line = function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def ensure_cache_path(self):
        """Make the cache folder; raise OSError where it cannot be written or is not private."""
        private_folder.make(cache_folder())
        _sweep_once()
        super().ensure_cache_path()

    def get_cache_path(self):
        """Return the cache folder as a str."""
        return str(cache_folder())

    def get_source_stamp(self):
        """Return `digest()`, a str; Numba takes a cache file with another stamp for stale."""
        return digest()

    def get_disambiguator(self):
        """Return the function's line number as a str; it tells functions of one name apart."""
        return str(self._line)

    @classmethod
    def from_function(cls, function, path):
        """Return a _Locator of `function`; `path`, its source file, is unused."""
        return cls(function)


class _Names(CompileResultCacheImpl):
    """Names the cache files of one function; unlike Numba's class it searches for no folder."""

    def __init__(self, function):
        """Set what Numba's constructor would: the locator and the beginning of the names of files.

        function: the Python function whose compiled code the files hold.
        """
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function)
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _Files(IndexDataCacheFile):
    """Reads and writes the cache files of one function: one file for each key.

    A key is a tuple: (Numba types of the arguments, CPU's name and features, hashes of the
    function's bytecode and closure). Unlike Numba's class this one has no index file.
    """

    def __init__(self, folder, base):
        """Use files in `folder` (a path as a str) whose names begin with `base` (a str)."""
        super().__init__(folder, base, digest())
        self._base = base

    def _path(self, key):
        """Return the path (a str) of the file of `key`; a hash of the key is part of it.

        The hash is of the types' names, because an `AbiArray` and Numba's array type share one
        repr.
        """
        name = hashlib.sha256(repr((*map(str, key[0]), *key[1:])).encode()).hexdigest()
        return self._data_path(f"{self._base}.{name[:20]}.nbc")

    def holds(self, key):
        """Return a bool: whether the file of `key` exists; it is not read."""
        return os.path.exists(self._path(key))

    def save(self, key, data):
        """Write the file of `key`: the pickle of (key, data) behind its SHA-256 digest.

        data: the picklable form of compiled code that Numba makes. An older file is replaced.
        """
        content = self._dump((key, data))
        private_folder.write(self._path(key), hashlib.sha256(content).digest() + content)

    def load(self, key):
        """Return the data that `save` wrote for `key`, or None.

        None: the file is missing, damaged, of another key, or writable by other users; the next
        `save` replaces it.
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
        """Return a bool: whether the function's code for one tuple of argument types is saved.

        signature: the tuple of Numba types; context: Numba's target context.
        """
        return self._enabled and self._cache_file.holds(
            self._index_key(signature, context.codegen())
        )

    def load_overload(self, sig, target_context):
        """Return the saved code of one tuple of argument types, Numba's CompileResult, or None.

        sig: the tuple of Numba types; target_context: Numba's target context. Where it returns
        None, a compilation begins, and the function given to `listen` is called if this is the
        first one.
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
        """Save the compiled code of one tuple of argument types; where that fails, warn instead.

        sig: the tuple of Numba types; data: the code, Numba's CompileResult.
        """
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        """Stop using this cache, and warn; error: an exception, the warning's reason."""
        self.disable()
        # `strerror` names no file: str(error) can name a temporary one and would warn each time.
        _warn(
            f"its cache failed ({type(error).__name__}: {getattr(error, 'strerror', '') or error})"
        )


def _announce():
    """Call the function given to `listen`, because a compilation begins, and forget it afterwards.

    If `listen` has never been called, nothing happens.
    """
    found, _listeners[:] = _listeners[:], [False] if _listeners else []
    for listener in found:
        if listener:
            listener()
