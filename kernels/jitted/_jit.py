"""The one decorator of the compiled kernels: every Numba flag argued once, and where the cache is.

Numba stamps a cached function with its own file only, so an edit in a helper elsewhere would leave
the caller stale. Ours are stamped with a digest of all kernel sources and of the versions that
compile them, and lie in a private folder of the user (cache files are pickles).
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import pickle
import platform
import stat
import sys
import warnings
from functools import cache
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

#: Reordering is meant where sums are formed; NaN and infinity keep their meaning, for the checks
#: of divergence need them (so no nnan, ninf).
REORDER = {"contract", "reassoc", "nsz", "arcp", "afn"}

_listeners = []  # what is called before the first compilation of a process that no cache saves


def listen(listener):
    """Call `listener()` when a compilation begins, unless one has begun before; None: nobody."""
    if _listeners != [False]:
        _listeners[:] = [listener] if listener else []


@cache
def digest():
    """Name of the cache folder: a digest of all kernel sources and of what compiles them."""
    folder = Path(__file__).resolve().parent.parent
    told = hashlib.sha256()
    for version in (sys.version, platform.machine(), numba, llvmlite, np):
        told.update(str(getattr(version, "__version__", version)).encode())
    for path in sorted(folder.rglob("*.py")):
        told.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return told.hexdigest()[:20]


@cache
def cache_folder():
    """Where compiled kernels lie; FASTNN_CACHE_DIR moves it."""
    chosen = os.environ.get("FASTNN_CACHE_DIR")
    if chosen:
        return Path(chosen) / digest()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fastnn" / digest()


@cache
def _warn(reason):
    """Say once, for each reason, that kernels stay in memory."""
    warnings.warn(
        f"fastnn keeps its compiled kernels in memory only: {reason}. Set FASTNN_CACHE_DIR to a "
        "folder of your own that can be written, and later starts need not compile again.",
        RuntimeWarning,
        stacklevel=2,
    )


def _private(folder):
    """Make the folder, or refuse one that somebody else could have put pickles into."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        status = folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{folder} is not private to this user")


class _Locator(_CacheLocator):
    """Tells Numba where our cache lies and what makes an entry stale."""

    def __init__(self, function):
        self._line = function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def ensure_cache_path(self):
        _private(cache_folder())
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


class _Files(CompileResultCacheImpl):
    """Where one function's files are; Numba's own search for a writable folder is left out."""

    def __init__(self, function):
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function)
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class KernelCache(FunctionCache):
    """Numba's cache of one function, in our folder; trouble with files never stops a fit."""

    _impl_class = _Files

    def load_overload(self, sig, target_context):
        try:
            _private(cache_folder())
            found = super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
            self._give_up(error)
            found = None
        except Exception as error:  # a damaged pickle can raise anything
            self._give_up(error)
            found = None
        if found is None:
            _announce()
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        """Compile in memory from here on; drop the damaged entry so that the next start mends."""
        self.disable()
        with contextlib.suppress(OSError):
            self.flush()
        _warn(f"its cache failed ({type(error).__name__}: {error})")


def _announce():
    """Tell the listener, once a process, that a compilation begins."""
    told, _listeners[:] = _listeners[:], [False]
    for listener in told:
        if listener:
            listener()


@contextlib.contextmanager
def _uncollected():
    """Let Python's collector of garbage rest: it took 1.6 of the 10.8 s of a cold first fit.

    A compilation makes millions of short-lived objects; what they leave is collected after it.
    """
    enabled = gc.isenabled()
    gc.disable()
    if enabled:
        _resting.append(True)
    try:
        yield
    finally:
        if enabled:
            gc.enable()
            _resting.pop()


def _wake():
    """Let a child collect that another thread forked meanwhile: what would do so is not in it."""
    if _resting:
        gc.enable()


_resting = []  # whether the collector waits for a compilation
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_wake)


def _decorate(fastmath, **flags):
    """Return the decorator with these flags; the others hold for every kernel.

    nogil: a team of threads meets inside. error_model: Python's zero-division check would keep a
    loop with a division scalar. boundscheck: indices are derived from shapes that the doors check.
    _nrt: kernels allocate nothing, and counting references took a fifth of a small net's step.
    no_cfunc_wrapper: no one calls kernels from C.
    """

    def decorate(function):
        compiled = numba.njit(
            nogil=True,
            error_model="numpy",
            boundscheck=False,
            _nrt=False,
            no_cfunc_wrapper=True,
            fastmath=fastmath,
            **flags,
        )(function)
        if not numba.config.DISABLE_JIT:
            compiled._cache = KernelCache(function)
            compiled.compile = _uncollected()(compiled.compile)
        return compiled

    return decorate


kernel = _decorate(REORDER)
#: What only compiled code calls: Python's way in would be compiled for nobody.
unwrapped = _decorate(REORDER, no_cpython_wrapper=True)
#: A part of one caller, put into it before types are known: 0.2 s less to compile than a kernel.
inlined = _decorate(REORDER, inline="always")
#: For what must be computed in the order in which it is written: error-compensated arithmetic.
exact = _decorate({"contract"}, forceinline=True)
