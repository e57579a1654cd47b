"""Instructions for threads that wait for each other: atomic add and read, and the pause between.

An add is sequentially consistent and a read acquires, so that whoever has read a count also sees
all that was written before it was counted.
"""

from __future__ import annotations

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

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
def add(typingctx, array, index, value):
    """Add to array[index] in one indivisible step."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def read(typingctx, array, index):
    """array[index] as the other threads last wrote it."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.gep(data, [args[1]])
        return builder.load_atomic(pointer, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), codegen
