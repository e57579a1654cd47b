"""The decorators of all compiled kernels, with the reasons for Numba's and LLVM's flags."""

from __future__ import annotations

import contextlib
import gc
import os

import numba

from ...debug import DEBUG
from .disk_cache import KernelCache

#: LLVM's fast-math flags of most kernels. LLVM may compute sums in any order, fuse multiplications
#: with additions, ignore the sign of zero, and approximate reciprocals and functions. It must keep
#: NaN and infinity (no nnan, no ninf), because the checks of divergence need them.
REORDER = {"contract", "reassoc", "nsz", "arcp", "afn"}


@contextlib.contextmanager
def _uncollected():
    """Switch Python's cyclic garbage collector off for the body of a `with` statement.

    A compilation makes millions of short-lived objects; the collector took 1.6 of the 10.8 s of a
    first fit without a cache. A collector that was off before stays off.
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
    """Switch the garbage collector on in a child process that was forked during a compilation.

    The thread that would switch it on again does not exist in the child.
    """
    if _resting:
        gc.enable()


_resting: list[bool] = []  # one True for each running compilation that switched the collector off
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_wake)


def _decorate(fastmath, saved=True, **flags):
    """Return a decorator that compiles a function by numba.njit.

    fastmath: a set of names of LLVM's fast-math flags; saved: whether the cache on disk holds the
    function's code; flags: further arguments of numba.njit. All decorators of this module share
    five flags. nogil: threads of a team run a kernel at the same time. error_model: Python's
    zero-division check would keep LLVM from vectorising a loop with a division. boundscheck: only
    in debug mode, because entry points check shapes. _nrt=False: kernels allocate nothing, and
    counting references took a fifth of a small net's step. no_cfunc_wrapper: C code never calls
    kernels.
    """

    def decorate(function):
        """Return Numba's dispatcher of `function`, a Python function.

        The dispatcher's attribute prepare(*args) compiles it for the types of args and runs
        nothing.
        """
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
            if saved:
                compiled._cache = KernelCache(function)
            compiled.compile = _uncollected()(compiled.compile)
        return compiled

    return decorate


#: Decorates a kernel that Python or compiled code calls directly.
kernel = _decorate(REORDER)
#: Decorates a kernel that only compiled code calls: no wrapper for calls from Python is compiled.
unwrapped = _decorate(REORDER, no_cpython_wrapper=True)
#: Decorates a function that Numba inserts into its callers before it infers types; where there is
#: one caller, this compiles 0.2 s faster than a kernel.
inlined = _decorate(REORDER, inline="always")
#: Decorates a user's function, and a kernel made of it: its source is none of those by which the
#: cache on disk tells code that is stale.
in_memory = _decorate(REORDER, saved=False)
#: Decorates error-compensated arithmetic, which LLVM must compute in the order of the source.
exact = _decorate({"contract"}, forceinline=True)
