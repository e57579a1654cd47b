"""The one decorator of the compiled kernels: every Numba flag argued once."""

from __future__ import annotations

import contextlib
import gc
import os

import numba

from ...debug import DEBUG
from .disk_cache import KernelCache

#: Reordering is meant where sums are formed; NaN and infinity keep their meaning, for the checks
#: of divergence need them (so no nnan, ninf).
REORDER = {"contract", "reassoc", "nsz", "arcp", "afn"}


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


_resting: list[bool] = []  # whether the collector waits for a compilation
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_wake)


def _decorate(fastmath, **flags):
    """Return the decorator with these flags; the others hold for every kernel.

    nogil: a team of threads meets inside. error_model: Python's zero-division check would keep a
    loop with a division scalar. boundscheck: indices follow from shapes that entry points check, so
    they are checked in debug mode only.
    _nrt: kernels allocate nothing, and counting references took a fifth of a small net's step.
    no_cfunc_wrapper: no one calls kernels from C.
    """

    def decorate(function):
        compiled = numba.njit(
            nogil=True,
            error_model="numpy",
            boundscheck=DEBUG,
            _nrt=False,
            no_cfunc_wrapper=True,
            fastmath=fastmath,
            **flags,
        )(function)
        compiled.prepare = lambda *args: compiled.compile(tuple(map(numba.typeof, args)))
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
