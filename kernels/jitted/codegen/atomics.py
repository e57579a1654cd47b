"""Atomic operations on int64 arrays, and three ways of waiting: pause, yield and sleep.

`fetch_add` and `exchange` are sequentially consistent, and `atomic_load` acquires: a thread that
reads a count also sees everything that another thread wrote before it added to that count.
"""

from __future__ import annotations

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..loader.linker import add_symbols

# What compiled code calls must be known to LLVM before any of it is linked.
add_symbols()
#: yield_core() lets another thread that is ready run on this core; its result (int32) is not used.
yield_core = types.ExternalFunction("fastnn_yield", types.int32())
#: sleep(n) suspends the calling thread for n µs (uint32), on Windows for n ms; its result (int32)
#: is not used.
sleep = types.ExternalFunction("fastnn_nap", types.int32(types.uint32))

#: By the name of a machine, in lower case: the LLVM intrinsic that delays a polling loop by some
#: cycles, and a tuple of its int32 arguments. During the delay the core's other hyperthread has the
#: execution units. On ARM `isb` waits some ten cycles; `yield`, ARM's instruction for this purpose,
#: does not wait.
PAUSES = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "amd64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.isb", (15,)),
    "arm64": ("llvm.aarch64.isb", (15,)),
}


def emit_pause(builder, machine):
    """Emit the call of PAUSES[machine], which delays the thread by some cycles.

    machine: a name as `platform.machine()` returns; nothing is emitted for one that PAUSES lacks.
    """
    name, numbers = PAUSES.get(machine.lower(), (None, ()))
    if name:
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [word] * len(numbers))
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [word(number) for number in numbers])


@intrinsic
def pause(typingctx):
    """Delay the calling thread by some cycles; does nothing on a machine that PAUSES lacks."""

    def codegen(context, builder, signature, args):
        emit_pause(builder, platform.machine())
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def fetch_add(typingctx, array, index, value):
    """Add value to array[index] atomically and return the element's old value.

    array: a vector of int64; index, value and the result: int64.
    """

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def atomic_load(typingctx, array, index):
    """Return array[index], an int64, by an atomic load with acquire ordering.

    array: a vector of int64; index: int64.
    """

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.gep(data, [args[1]])
        return builder.load_atomic(pointer, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), codegen


@intrinsic
def exchange(typingctx, array, index, old, new):
    """Set array[index] to `new` if it equals `old`, as one atomic compare-and-exchange.

    Return a bool: whether it was equal, and therefore was set. array: a vector of int64; index, old
    and new: int64.
    """

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.gep(data, [args[1]])
        result = builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst")
        return builder.extract_value(result, 1)

    return types.boolean(array, types.intp, types.int64, types.int64), codegen
