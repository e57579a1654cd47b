"""Flush-to-zero mode: the steps of a compiled fit write 0 where a result would be subnormal.

A number that only decays, like Adam's average gradient of a unit that is no longer active, becomes
subnormal and stays so. Intel's processors multiply 16 subnormal numbers in 240 cycles, 16 normal
ones in 10 (NumPy, float32): without this mode 784 → 512 → 256 → 10 on MNIST needed 1.66 ms a step
in the second epoch and 2.33 in the fourteenth. Operands may still be subnormal, as in float16 data.
L-BFGS, which asks for one gradient at a time, and processors other than x86 do not use the mode.
"""

from __future__ import annotations

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import INT32, INT64

_X86 = binding.get_process_triple().startswith("x86_64")  # whether this process runs on x86-64
_FLUSH = 0x8000  # the bit of MXCSR, the control register of SSE and AVX, that sets flush-to-zero


def _access(builder, name, place):
    """Emit a call of the LLVM intrinsic `name`, which stores MXCSR at `place` or loads it from it.

    MXCSR: the control register of SSE and AVX. place: an LLVM pointer to a 32-bit integer.
    """
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.call(function, [builder.bitcast(place, byte)])


def _write(builder, mode):
    """Emit MXCSR, the control register of SSE and AVX ← lowest 32 bits of `mode`, an LLVM int64."""
    place = builder.alloca(INT32)
    builder.store(builder.trunc(mode, INT32), place)
    _access(builder, "llvm.x86.sse.ldmxcsr", place)


@intrinsic
def flush(typingctx):
    """Switch flush-to-zero on for the calling thread: results that would be subnormal become 0.

    Return an int64, the thread's MXCSR (control register of SSE and AVX) before the switch. On
    processors other than x86-64 do nothing and return 0.
    """

    def codegen(context, builder, sig, args):
        if not _X86:
            return ir.Constant(INT64, 0)
        place = builder.alloca(INT32)
        _access(builder, "llvm.x86.sse.stmxcsr", place)
        mode = builder.zext(builder.load(place), INT64)
        _write(builder, builder.or_(mode, ir.Constant(INT64, _FLUSH)))
        return mode

    return types.int64(), codegen


@intrinsic
def restore(typingctx, mode):
    """Set the calling thread's MXCSR to `mode`, an int64 that `flush` returned.

    It does nothing on processors other than x86-64.
    """

    def codegen(context, builder, sig, args):
        if _X86:
            _write(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen
