"""The linker: it maps object code into this process.

`elf.py` does so on Linux and x86-64; llvmlite's MCJIT on other systems, and for objects that are
none of ours. Nothing is ever freed, so that an address stays valid for ever.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache
from typing import Any

import numpy as np

from . import elf

#: Functions and objects of Python's C interface that entrances call. All belong to the stable one.
PYTHON_FUNCTIONS = (
    "PyBool_FromLong", "PyErr_ExceptionMatches", "PyErr_Format", "PyErr_Occurred",
    "PyEval_RestoreThread", "PyEval_SaveThread", "PyFloat_AsDouble", "PyFloat_FromDouble",
    "PyLong_AsLongLong", "PyLong_FromLongLong", "PyTuple_GetItem", "PyTuple_Size",
    "PyType_IsSubtype", "Py_IncRef",
)  # fmt: skip
#: What entrances refer to by address.
PYTHON_OBJECTS = {
    "fastnn_None": None,
    "fastnn_ndarray": np.ndarray,
    "fastnn_TypeError": TypeError,
    "fastnn_IndexError": IndexError,
    "fastnn_SystemError": SystemError,
}


def waits():
    """Return {symbol: C function} of the two ways in which kernels give a core up.

    `fastnn_yield` lets another thread that is ready run, `fastnn_nap` suspends the calling thread:
    sched_yield and usleep, on Windows SwitchToThread and Sleep.
    """
    if os.name == "nt":
        system = ctypes.windll.kernel32  # type: ignore[attr-defined]
        return {"fastnn_yield": system.SwitchToThread, "fastnn_nap": system.Sleep}
    system = ctypes.CDLL(None)
    return {"fastnn_yield": system.sched_yield, "fastnn_nap": system.usleep}


@cache
def _known_addresses():
    """Return {name: address} of what kernels and entrances refer to beside the C library."""
    functions = waits() | {name: getattr(ctypes.pythonapi, name) for name in PYTHON_FUNCTIONS}
    found = {name: ctypes.cast(f, ctypes.c_void_p).value for name, f in functions.items()}
    return found | {name: id(item) for name, item in PYTHON_OBJECTS.items()}


def add_symbols():
    """Tell LLVM the addresses of what kernels and entrances call, unless it knows them."""
    from llvmlite import binding

    for name, address in _known_addresses().items():
        binding.add_symbol(name, address)


class _Linker:
    """The addresses of what is linked, and LLVM's engine where that links it."""

    def __init__(self):
        """Link nothing yet; llvmlite is imported only where it is needed to link something."""
        self.addresses: dict[str, int] = {}
        self._engine: Any = None

    def link(self, objects):
        """Link objects; objects: {symbol: object code} of what is not linked yet.

        An object is linked with those that its symbols refer to, or after them. Raises RuntimeError
        if an object lacks the function that it is named after.
        """
        try:
            found = elf.link(list(objects.values()), self.address_of)
        except elf.UnsupportedError:
            found = self._link_by_llvm(objects)
        for symbol in objects:
            if not found.get(symbol):  # a call of address 0 would end the process
                raise RuntimeError(f"the object code of {symbol} has no function of that name")
            self.addresses[symbol] = found[symbol]

    def address_of(self, name):
        """Return the address of what an object refers to and does not define, or None.

        Only on Linux and other systems whose processes have one space of names.
        """
        address = self.addresses.get(name) or _known_addresses().get(name)
        if address is None and hasattr(library := ctypes.CDLL(None), name):
            return ctypes.cast(library[name], ctypes.c_void_p).value
        return address

    def _start(self):
        """Make LLVM's engine. Its own target does not matter: it compiles nothing."""
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        add_symbols()
        target = binding.Target.from_triple(binding.get_process_triple())
        machine = target.create_target_machine(jit=True)
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)

    def _link_by_llvm(self, objects):
        """Link objects as `link` does, by llvmlite; return {symbol: address, or 0}."""
        from llvmlite import binding

        if self._engine is None:
            self._start()
        for name, address in self.addresses.items():
            binding.add_symbol(name, address)
        for code in objects.values():
            self._engine.add_object_file(binding.ObjectFileRef.from_data(bytes(code)))
        self._engine.finalize_object()
        return {symbol: self._engine.get_function_address(symbol) for symbol in objects}


LINKER = _Linker()


class _Method(ctypes.Structure):
    """PyMethodDef of Python's C interface."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_FASTCALL = 0x80  # METH_FASTCALL: the function takes (self, array of arguments, their number)


def python_function(name, address):
    """Return the built-in function of Python whose code is an entrance at an address.

    It points to its `_Method`, and keeps that alive as its `self`.
    """
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    method = _Method(name.encode(), address, _FASTCALL, None)
    return make(ctypes.addressof(method), method, None)


#: Held while objects are compiled or linked. A thread may take it again.
lock = threading.RLock()


def _forget():
    """Make a new lock: in a forked child no other thread exists that could hold it."""
    global lock  # noqa: PLW0603 - the lock of the process
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
