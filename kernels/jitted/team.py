"""A team: plain threads inside nogil compiled code that meet at an atomic barrier.

Numba's own threading layers cost 1.6 to 27 µs a region, and some abort on concurrent entry or die
after a fork; a meeting here costs about 0.15 µs while every member has a core. Members allocate
nothing, raise nothing and touch no Python object.
"""

from __future__ import annotations

import ctypes
import os
import threading

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._jit import inlined, kernel

SPINS = 2000  # about 10 µs of polling before the core is offered to somebody else
ARRIVALS, ABORT = 0, 1  # places in the meeting array; member i counts its turns at 8 (i + 1)


def _resolve_yield():
    """Name the system's way to offer the core; cached code needs the name before it loads."""
    if os.name == "nt":
        function = ctypes.windll.kernel32.SwitchToThread  # type: ignore[attr-defined]
    else:
        function = ctypes.CDLL(None).sched_yield
    address = ctypes.cast(function, ctypes.c_void_p).value
    llvmlite.binding.add_symbol("fastnn_yield", address)


_resolve_yield()
_yield = types.ExternalFunction("fastnn_yield", types.int32())


@intrinsic
def _add(typingctx, array, index, value):
    """Add to array[index] in one indivisible step."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def _read(typingctx, array, index):
    """array[index] as the other threads last wrote it."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.gep(data, [args[1]])
        return builder.load_atomic(pointer, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), codegen


@kernel
def meet(meeting, me, team):
    """Wait until every member has come here; an abort lets everybody through."""
    if team == 1:
        return
    own = 8 * (me + 1)
    meeting[own] += 1
    target = meeting[own] * team
    _add(meeting, ARRIVALS, 1)
    spins = 0
    while _read(meeting, ARRIVALS) < target and _read(meeting, ABORT) == 0:
        spins += 1
        if spins > SPINS:
            _yield()


@inlined
def aborted(meeting):
    """Tell whether a member failed to start."""
    return _read(meeting, ABORT) != 0


def assemble(function, args, size):
    """Run function(*args, meeting, me, size) on `size` threads, this one being member 0.

    Returns None where the system has no thread left: then nothing has been done.
    """
    meeting = np.zeros(8 * (size + 1), np.int64)
    if size == 1:
        return function(*args, meeting, 0, 1)
    # Here, not in whichever member comes first: an error must not leave the others waiting.
    function.compile(tuple(map(numba.typeof, (*args, meeting, 0, size))))
    threads = []
    try:
        for me in range(1, size):
            thread = threading.Thread(target=function, args=(*args, meeting, me, size), daemon=True)
            threads.append(thread)
            thread.start()
        result = function(*args, meeting, 0, size)
    except BaseException as error:  # a signal's handler may raise anything, anywhere
        meeting[ABORT] = 1
        started = [thread for thread in threads if thread.ident is not None]
        for thread in started:
            thread.join()
        if isinstance(error, RuntimeError) and len(started) < size - 1:
            return None
        raise
    for thread in threads:
        thread.join()
    return result
