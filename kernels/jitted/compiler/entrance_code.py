"""Entrances: the LLVM code of functions by which Python calls kernels.

An entrance follows the calling convention METH_FASTCALL of Python's C interface. It reads data and
shape of each array where NumPy's C interface keeps them, and refuses an array of another kind, size
of elements or number of dimensions, or one that is not C-contiguous. While the kernel runs it lets
go of Python's lock, unless the definition keeps it. Numba's dispatcher would look up the type of
each argument at every call, and ctypes would convert each.

References: Python C API, "Common Object Structures", METH_FASTCALL; NumPy C API, "Python Types and
C-Structures", PyArrayObject and PyArray_Descr of NumPy 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir

from ...opcodes import OP, SETTINGS
from ..loader.manifest import object_name
from ..loader.pack import HEAD
from ..records import FIELDS, RECORDS

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
POINTER, DOUBLE = I8.as_pointer(), ir.DoubleType()
#: Bytes from the start of an array object to its data, number of dimensions, shape, dtype, flags.
DATA, NDIM, SHAPE, DTYPE, ARRAY_FLAGS = (HEAD + offset for offset in (0, 8, 16, 40, 48))
#: Bytes from the start of a dtype object to its kind and byte order, characters, and its itemsize.
KIND, ORDER, ITEMSIZE = HEAD + 8, HEAD + 10, HEAD + 24
CONTIGUOUS = 0x0001 | 0x0100  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
SWAPPED = ord(np.dtype(np.int16).newbyteorder("S").byteorder)


class _Array(NamedTuple):
    """An array argument: what it must be."""

    kind: str  # of its elements, as NumPy's dtype.kind has it; "\0": any
    itemsize: int  # bytes of an element; of any kind 0
    ndim: int


MATRIX = _Array("\0", 0, 2)  # one of any kind, of which only the address is read


def _arrays(dtype):
    """Return {letter of a signature: `_Array`} for networks of a dtype, or its name."""
    network = np.dtype(dtype).itemsize
    return {
        "F1": _Array("f", network, 1),
        "F2": _Array("f", network, 2),
        "D1": _Array("f", 8, 1),
        "D2": _Array("f", 8, 2),
        "I1": _Array("i", 8, 1),
        "P": MATRIX,
        "T": _Array("i", 8, 1),
        "O": _Array("V", OP.itemsize, 1),
        "S": _Array("V", SETTINGS.itemsize, 1),
    }


class _Entrance:
    """Emits the entrance of one kernel."""

    def __init__(self, module, dtype, name, kernel):
        """Begin the function `name`; dtype: of the network; kernel: the kernel's name, a str."""
        self.module, self.arrays, self.kernel = module, _arrays(dtype), kernel
        kind = ir.FunctionType(POINTER, [POINTER, POINTER.as_pointer(), I64])
        self.function = ir.Function(module, kind, name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.refused = self.function.append_basic_block("refused")
        self.argument = self.builder.alloca(I64)  # index of the argument that is read
        self.values = []  # what the kernel gets

    def api(self, name, result, *kinds, **options):
        """Return a function of Python's C interface."""
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, kinds, **options), name)

    def item(self, name):
        """Return a global of `linker.PYTHON_OBJECTS`, a pointer to an object of Python."""
        found = self.module.globals.get(name)
        return found or ir.GlobalVariable(self.module, I8, name)

    def text(self, name, text):
        """Return a pointer to a constant text that ends with 0."""
        data = bytearray(text.encode() + b"\0")
        kind = ir.ArrayType(I8, len(data))
        line = ir.GlobalVariable(self.module, kind, name)
        line.initializer, line.global_constant = ir.Constant(kind, data), True
        line.linkage = "private"
        return self.builder.bitcast(line, POINTER)

    def require(self, condition):
        """Go on where a condition holds, else refuse the argument."""
        following = self.function.append_basic_block()
        self.builder.cbranch(condition, following, self.refused)
        self.builder.position_at_end(following)

    def field(self, item, offset, kind):
        """Return the number of an LLVM type that lies `offset` bytes behind a pointer."""
        place = self.builder.gep(item, [I64(offset)])
        return self.builder.load(self.builder.bitcast(place, kind.as_pointer()))

    def is_exactly(self, value, number):
        """Return whether an integer equals a constant."""
        return self.builder.icmp_unsigned("==", value, value.type(number))

    def array_reader(self):
        """Return the function that checks an array object and reads its address and shape.

        It takes the object, kind, itemsize and number of dimensions that the array must have, and a
        vector of int64 for what it reads, and returns whether the array is of that kind.
        """
        found = self.module.globals.get("read_array")
        if found:
            return found
        kind = ir.FunctionType(I1, [POINTER, I8, I64, I32, I64.as_pointer()])
        function = ir.Function(self.module, kind, "read_array")
        function.linkage = "internal"
        function.attributes.add("noinline")
        outer, self.builder = self.builder, ir.IRBuilder(function.append_basic_block("entry"))
        self._emit_reader(*function.args)
        self.builder = outer
        return function

    def _emit_reader(self, item, kind, itemsize, ndim, out):
        """Emit the body of `array_reader`, whose arguments these are."""
        b = self.builder
        subtype = self.api("PyType_IsSubtype", I32, POINTER, POINTER)
        found, wanted = self.field(item, HEAD - 8, POINTER), self.item("fastnn_ndarray")
        with b.if_then(b.icmp_unsigned("!=", found, wanted), likely=False):
            is_array = b.icmp_signed("!=", b.call(subtype, [found, wanted]), I32(0))
            with b.if_then(b.not_(is_array)):
                b.ret(I1(0))
        dtype = self.field(item, DTYPE, POINTER)
        flags = b.and_(self.field(item, ARRAY_FLAGS, I32), I32(CONTIGUOUS))
        alike = b.and_(
            b.icmp_unsigned("==", self.field(dtype, KIND, I8), kind),
            b.icmp_unsigned("==", self.field(dtype, ITEMSIZE, I64), itemsize),
        )
        good = b.or_(alike, self.is_exactly(kind, 0))
        for condition in (
            self.is_exactly(flags, CONTIGUOUS),
            b.icmp_unsigned("==", self.field(item, NDIM, I32), ndim),
            b.icmp_unsigned("!=", self.field(dtype, ORDER, I8), I8(SWAPPED)),
        ):
            good = b.and_(good, condition)
        with b.if_then(good):
            b.store(self.field(item, DATA, I64), out)
            shape = self.field(item, SHAPE, I64.as_pointer())
            b.store(b.load(shape), b.gep(out, [I64(1)]))
            with b.if_then(b.icmp_unsigned("==", ndim, I32(2))):
                b.store(b.load(b.gep(shape, [I64(1)])), b.gep(out, [I64(2)]))
        b.ret(good)

    def read_array(self, item, array):
        """Append address and shape of an array of the kind of an `_Array`, of 1 or 2 dimensions.

        Of an array of any kind it is the address alone, as an integer.
        """
        b, out = self.builder, self.builder.alloca(I64, 1 + array.ndim)
        numbers = I8(ord(array.kind)), I64(array.itemsize), I32(array.ndim)
        self.require(b.call(self.array_reader(), [item, *numbers, out]))
        if array == MATRIX:
            self.values.append(b.load(out))
            return
        self.values.append(b.load(b.bitcast(out, POINTER.as_pointer())))
        self.values += [b.load(b.gep(out, [I64(axis + 1)])) for axis in range(array.ndim)]

    def read(self, item, letter):
        """Append the values of one argument, or of one field of a record."""
        b, record = self.builder, RECORDS.get("Input" if letter == "X" else letter)
        if record:
            letters = FIELDS[record].split()
            size = b.call(self.api("PyTuple_Size", I64, POINTER), [item])
            self.require(self.is_exactly(size, len(letters)))
            get = self.api("PyTuple_GetItem", POINTER, POINTER, I64)
            for place, inside in enumerate(letters):
                self.read(b.call(get, [item, I64(place)]), inside)
        elif letter in self.arrays:
            self.read_array(item, self.arrays[letter])
        elif letter == "f":
            self.values.append(b.call(self.api("PyFloat_AsDouble", DOUBLE, POINTER), [item]))
        else:
            self.values.append(b.call(self.api("PyLong_AsLongLong", I64, POINTER), [item]))

    def call_kernel(self, symbol, result, keeps_lock):
        """Call the kernel, without Python's lock unless it is kept; return its result.

        result: the result's LLVM type.
        """
        b = self.builder
        slots = [b.alloca(result), b.alloca(POINTER)]  # the result; where an exception is described
        kinds = [slot.type for slot in slots] + [value.type for value in self.values]
        kernel = ir.Function(self.module, ir.FunctionType(I32, kinds), symbol)
        save = self.api("PyEval_SaveThread", POINTER)
        restore = self.api("PyEval_RestoreThread", ir.VoidType(), POINTER)
        thread = None if keeps_lock else b.call(save, [])
        status = b.call(kernel, slots + self.values)
        if thread is not None:
            b.call(restore, [thread])
        # A kernel returns 0, or −2 for None; in debug mode 1, where an index is out of bounds.
        good = b.or_(self.is_exactly(status, 0), b.icmp_signed("==", status, I32(-2)))
        with b.if_then(b.not_(good), likely=False):
            line = self.text("bounds", f"kernel {self.kernel}: an index is out of bounds")
            self.raise_error("fastnn_IndexError", line)
        return b.load(slots[0])

    def raise_error(self, error, line, *values):
        """Set Python's exception, of a text of printf's form, and return NULL."""
        raise_ = self.api("PyErr_Format", POINTER, POINTER, POINTER, var_arg=True)
        self.builder.call(raise_, [self.item(error), line, *values])
        self.builder.ret(POINTER(None))

    def refuse(self):
        """Emit where refused arguments lead: the exception that Python has set, or a TypeError.

        The latter replaces the SystemError that PyTuple_Size sets for what is no tuple.
        """
        b = self.builder
        b.position_at_end(self.refused)
        matches = self.api("PyErr_ExceptionMatches", I32, POINTER)
        with b.if_then(self.has_failed()):
            found = b.call(matches, [self.item("fastnn_SystemError")])
            with b.if_then(self.is_exactly(found, 0)):
                b.ret(POINTER(None))
        line = self.text(
            "refused",
            f"kernel {self.kernel}: argument %lld has not the type, dtype, number of dimensions or "
            "memory order of its signature",
        )
        self.raise_error("fastnn_TypeError", line, b.load(self.argument))

    def has_failed(self):
        """Return whether Python has set an exception."""
        found = self.builder.call(self.api("PyErr_Occurred", POINTER), [])
        return self.builder.icmp_unsigned("!=", found, POINTER(None))

    def read_all(self, letters):
        """Read all arguments, whose number must be that of the letters."""
        b, (_, given, count) = self.builder, self.function.args
        b.store(I64(len(letters)), self.argument)
        self.require(self.is_exactly(count, len(letters)))
        for place, letter in enumerate(letters):
            b.store(I64(place), self.argument)
            self.read(b.load(b.gep(given, [I64(place)])), letter)
        self.require(b.not_(self.has_failed()))


def entrance_module(definition, dtype, name, triple):
    """Return the LLVM code (a str) of the entrance of a `definitions.Definition`.

    dtype: name of the network's dtype; name: the entrance's symbol; triple: LLVM's target triple.
    """
    module = ir.Module(name)
    module.triple = triple
    entrance = _Entrance(module, dtype, name, definition.name)
    entrance.read_all(definition.signature.split())
    b, symbol = entrance.builder, object_name(definition.name, dtype)
    keeps = definition.keeps_lock
    if definition.returns == "f":
        value = entrance.call_kernel(symbol, DOUBLE, keeps)
        b.ret(b.call(entrance.api("PyFloat_FromDouble", POINTER, DOUBLE), [value]))
    elif definition.returns in ("i", "b"):
        value = entrance.call_kernel(symbol, I8 if definition.returns == "b" else I64, keeps)
        make = "PyLong_FromLongLong"
        if definition.returns == "b":
            value, make = b.zext(value, I64), "PyBool_FromLong"
        b.ret(b.call(entrance.api(make, POINTER, I64), [value]))
    else:
        entrance.call_kernel(symbol, POINTER, keeps)
        none = entrance.item("fastnn_None")
        b.call(entrance.api("Py_IncRef", ir.VoidType(), POINTER), [none])
        b.ret(none)
    entrance.refuse()
    return str(module)
