"""The decorators of all compiled functions, with the reasons for Numba's and LLVM's flags."""

from __future__ import annotations

import contextlib
import gc
import os

import numba
from numba.core.compiler import Compiler

from ...debug import DEBUG
from .pipeline import KernelPipeline

#: LLVM's fast-math flags of most kernels. LLVM may compute sums in any order, fuse multiplications
#: with additions, ignore the sign of zero, and approximate reciprocals and functions. It must keep
#: NaN and infinity (no nnan, no ninf), because the checks of divergence need them.
REORDER = {"contract", "reassoc", "nsz", "arcp", "afn"}


@contextlib.contextmanager
def uncollected():
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


def _decorate(fastmath, pipeline=KernelPipeline, **flags):
    """Return a decorator that makes a function a dispatcher of Numba's, by numba.njit.

    fastmath: a set of names of LLVM's fast-math flags; pipeline: the class of the pipeline that
    compiles the function; flags: further arguments of numba.njit. All decorators of this module
    share five flags. nogil: threads of a team run a kernel at the same time. error_model: Python's
    zero-division check would keep LLVM from vectorising a loop with a division. boundscheck: only
    in debug mode, because entry points check shapes. _nrt=False: kernels allocate nothing, and
    counting references took a fifth of a small net's step. no_cfunc_wrapper: C code never calls
    kernels.
    """
    return numba.njit(
        nogil=True,
        error_model="numpy",
        boundscheck=DEBUG,
        _nrt=False,
        no_cfunc_wrapper=True,
        fastmath=fastmath,
        pipeline_class=pipeline,
        **flags,
    )


#: Decorates a function that compiled code calls directly.
kernel = _decorate(REORDER)
#: Decorates a function that Numba inserts into its callers before it infers types; where there is
#: one caller, this compiles 0.2 s faster than a kernel.
inlined = _decorate(REORDER, inline="always")
#: Decorates error-compensated arithmetic, which LLVM must compute in the order of the source.
exact = _decorate({"contract"}, forceinline=True)
#: Decorates a function that Python calls too, and that may hold whatever Numba takes: a user's.
runnable = _decorate(REORDER, Compiler)
