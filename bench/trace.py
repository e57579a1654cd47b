"""Traces of compiled calls: when each kernel began and ended, on which thread, for which layer.

Compiled kernels call each other through a table of addresses. While a trace runs, new programs get
a table in which some kernels are replaced by a few instructions that read the processor's cycle
counter, call the kernel itself, and write a record. Everything else runs as always, and without a
trace nothing is replaced: a normal fit pays nothing.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastnn.kernels.jitted.compiler import definitions, signatures
from fastnn.kernels.jitted.execution import kernel_selection
from fastnn.kernels.jitted.loader import tables
from llvmlite import ir
from numba import types
from numba.core import registry
from numba.core.compiler_lock import global_compiler_lock

RECORD = np.dtype([(n, np.int64) for n in ("place", "tag", "began", "ended", "thread")])
WORD = ir.IntType(64)
#: Parameters of kernels that say which layer they work on: a row of the op table, or where the
#: layer's weights begin in theta.
TAGS = ("row", "W")
NO_TAG = -1


@dataclass(frozen=True)
class Kernel:
    """An indirect kernel: its place in the table, the module and the name of its function.

    tag: the name of the argument that says which layer it works on, that argument's place, and the
    argument's place in a named tuple or None; all None where there is none.
    """

    place: int
    room: str
    name: str
    tag: tuple[str, int, int | None] | None

    def __str__(self) -> str:
        return f"{self.room.rpartition('.')[2]}.{self.name.strip('_')}"


def _tag(names: list[str], kinds: Sequence[Any]) -> tuple[str, int, int | None] | None:
    """Return the tag of a kernel whose arguments have these names and types."""
    for i, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if name in TAGS and isinstance(kind, types.Integer):
            return name, i, None
        for j, inside in enumerate(getattr(kind, "fields", ())):
            if inside in TAGS:
                return inside, i, j
    return None


def kernels() -> list[Kernel]:
    """Return all indirect kernels, in the order of the table."""
    found = []
    for place, definition in enumerate(_definitions()):
        function = definition.function
        room = function.__module__.partition(".jitted.")[2]
        names = list(inspect.signature(function).parameters)
        tag = _tag(names, signatures.argument_types(definition.signature, types.float64))
        found.append(Kernel(place, room, function.__name__, tag))
    return found


def _definitions() -> list[definitions.Definition]:
    """Return the definitions of all indirect kernels, in the order of the table."""
    return [each for each in definitions.definitions().values() if each.indirect]


def require_counter() -> None:
    """Refuse machines whose cycle counter a process cannot read.

    Raises
    ------
    RuntimeError
        On processors other than x86's.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise RuntimeError(
            f"steps are timed by the cycle counter of x86 processors; this is {platform.machine()}"
        )


def _thread_function() -> int:
    """Return the address of the system's function that names the calling thread."""
    if os.name == "nt":
        function = ctypes.windll.kernel32.GetCurrentThreadId  # type: ignore[attr-defined]
    else:
        function = ctypes.CDLL(None).pthread_self
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Clock:
    """The processor's cycle counter beside the system's clock, from here on."""

    def __init__(self) -> None:
        require_counter()
        name, kind = "fastnn_cycles", ir.FunctionType(WORD, ())
        self.library = codegen().create_library(name)  # it owns the function
        module = self.library.create_ir_module(name)
        function = ir.Function(module, kind, name)
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(_cycles(builder))
        _finish(self.library, module)
        address = self.library.get_pointer_to_function(name)
        self.read = ctypes.CFUNCTYPE(ctypes.c_int64)(address)
        self.began = time.perf_counter(), self.read()

    def seconds_per_cycle(self) -> float:
        """Return the seconds of a cycle, the mean since this clock was made."""
        return (time.perf_counter() - self.began[0]) / (self.read() - self.began[1])


@dataclass
class Trace:
    """Records of up to `capacity` kernel calls; later ones are counted and left out."""

    wanted: Callable[[Kernel], bool]
    capacity: int = 200_000
    #: What traces a kernel, by its dtype and address: the library that owns it, and its address.
    made: dict[tuple[str, int], tuple[Any, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.cursor = np.zeros(1, np.int64)
        self.log = np.zeros(self.capacity, RECORD)
        self.kernels = [kernel for kernel in kernels() if self.wanted(kernel)]

    @property
    def records(self) -> np.ndarray[Any, Any]:
        """Records of finished calls, in the order in which the calls ended."""
        return self.log[: min(int(self.cursor[0]), self.capacity)]

    def clear(self) -> None:
        """Forget all records."""
        self.cursor[0] = 0

    def replaced(self, dtype: Any, addresses: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a copy of a table of addresses in which traced kernels stand."""
        table = addresses.copy()
        for kernel in self.kernels:
            if tables.is_linked(dtype, kernel.place):
                address = int(table[kernel.place])
                key = np.dtype(dtype).name, address
                if key not in self.made:
                    self.made[key] = self._traced(dtype, kernel, address)
                table[kernel.place] = self.made[key][1]
        return table

    def _traced(self, dtype: Any, kernel: Kernel, address: int) -> tuple[Any, int]:
        """Compile a function that calls the one at an address and writes a record of the call."""
        signature = _definitions()[kernel.place].signature
        context = registry.cpu_target.target_context
        kinds = signatures.abi_argument_types(signature, signatures.network_type(dtype))
        kind = context.call_conv.get_function_type(types.none, kinds)
        name = f"fastnn_traced_{kernel.place}"
        library = codegen().create_library(name)
        module = library.create_ir_module(name)
        function = ir.Function(module, kind, name)
        builder = ir.IRBuilder(function.append_basic_block())
        tag = _tag_value(context, builder, function, kinds, kernel.tag)
        began = _cycles(builder)
        status = builder.call(_pointer(builder, address, kind), function.args)
        ended = _cycles(builder)
        self._write(builder, ir.Constant(WORD, kernel.place), tag, began, ended)
        builder.ret(status)
        _finish(library, module)
        return library, int(library.get_pointer_to_function(name))

    def _write(self, builder: Any, *values: Any) -> None:
        """Emit: take the next free record of the log, whoever else does, and fill it."""
        cursor = _pointer(builder, self.cursor.ctypes.data, WORD)
        place = builder.atomic_rmw("add", cursor, ir.Constant(WORD, 1), "monotonic")
        name = ir.FunctionType(WORD, ())
        thread = builder.call(_pointer(builder, _thread_function(), name), ())
        with builder.if_then(builder.icmp_signed("<", place, ir.Constant(WORD, self.capacity))):
            first = builder.mul(place, ir.Constant(WORD, len(RECORD)))
            log = _pointer(builder, self.log.ctypes.data, WORD)
            for i, value in enumerate((*values, thread)):
                builder.store(value, builder.gep(log, [builder.add(first, ir.Constant(WORD, i))]))


def _tag_value(context: Any, builder: Any, function: Any, kinds: Any, tag: Any) -> Any:
    """Emit: the argument that says which layer the kernel works on, or NO_TAG."""
    if tag is None:
        return ir.Constant(WORD, NO_TAG)
    given = context.call_conv.get_arguments(function)
    _, place, inside = tag
    value = context.get_arg_packer(kinds).from_arguments(builder, given)[place]
    return value if inside is None else builder.extract_value(value, inside)


def codegen() -> Any:
    """Return what compiles code for this machine."""
    return registry.cpu_target.target_context.codegen()


@global_compiler_lock
def _finish(library: Any, module: Any) -> None:
    """Compile a library of one module."""
    library.add_ir_module(module)
    library.finalize()


def _cycles(builder: Any) -> Any:
    """Emit: read the cycle counter."""
    kind = ir.FunctionType(WORD, ())
    counter = builder.module.declare_intrinsic("llvm.readcyclecounter", (), kind)
    return builder.call(counter, ())


def _pointer(builder: Any, address: int, kind: Any) -> Any:
    """Return a constant address as a pointer to what lies there."""
    return builder.inttoptr(ir.Constant(WORD, address), kind.as_pointer())


@contextmanager
def installed(trace: Trace) -> Iterator[Trace]:
    """Let programs that begin to run within this block be traced."""
    original = kernel_selection.kernel_pointers

    def table(dtype: Any, *wishes: Any) -> np.ndarray[Any, Any]:
        return trace.replaced(dtype, original(dtype, *wishes))

    kernel_selection.kernel_pointers = table
    kernel_selection._kernel_ptrs.cache_clear()
    try:
        yield trace
    finally:
        kernel_selection.kernel_pointers = original
        kernel_selection._kernel_ptrs.cache_clear()
