"""Instructions for threads that wait for each other: atomic add and read, pause, yield and nap.

An add is sequentially consistent and a read acquires, so that whoever has read a count also sees
all that was written before it was counted.
"""

from __future__ import annotations

import ctypes
import os
import platform

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _resolve():
    """Name the system's ways to give the core away; cached code needs them before it loads."""
    if os.name == "nt":
        system = ctypes.windll.kernel32  # type: ignore[attr-defined]
        functions = {"fastnn_yield": system.SwitchToThread, "fastnn_nap": system.Sleep}
    else:
        system = ctypes.CDLL(None)
        functions = {"fastnn_yield": system.sched_yield, "fastnn_nap": system.usleep}
    for name, function in functions.items():
        llvmlite.binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)


_resolve()
yield_core = types.ExternalFunction("fastnn_yield", types.int32())
sleep = types.ExternalFunction("fastnn_nap", types.int32(types.uint32))

#: LLVM's name of the instruction that spares the other hyperthread, and its argument. On ARM `isb`
#: waits some ten cycles; `yield`, meant for this, does nothing there.
PAUSES = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "amd64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.isb", (15,)),
    "arm64": ("llvm.aarch64.isb", (15,)),
}


def emit_pause(builder, machine):
    """Write the machine's pause; nothing where none is known."""
    name, numbers = PAUSES.get(machine.lower(), (None, ()))
    if name:
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [word] * len(numbers))
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [word(number) for number in numbers])


@intrinsic
def pause(typingctx):
    """Tell the core that this is a waiting loop."""

    def codegen(context, builder, signature, args):
        emit_pause(builder, platform.machine())
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def fetch_add(typingctx, array, index, value):
    """Add to array[index] in one indivisible step."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def atomic_load(typingctx, array, index):
    """array[index] as the other threads last wrote it."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.gep(data, [args[1]])
        return builder.load_atomic(pointer, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), codegen


@intrinsic
def exchange(typingctx, array, index, old, new):
    """Write new to array[index] if old stands there, in one indivisible step; tell whether."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.gep(data, [args[1]])
        result = builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst")
        return builder.extract_value(result, 1)

    return types.boolean(array, types.intp, types.int64, types.int64), codegen
