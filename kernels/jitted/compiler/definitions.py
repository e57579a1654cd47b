"""Definitions of compiled functions: indirect kernels, and entry points, which Python calls.

Numba hands the code of a direct callee to LLVM again at every level of callers: with seven levels a
first fit compiled for 26 s. An indirect kernel is compiled once; callers load its address from a
table instead, which costs about 5 ns a call. In this module `place` is a kernel's index in the
tables, and `number` is Numba's type of the network's numbers, float32 or float64.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...debug import DEBUG
from ...opcodes import require_all
from ..loader.manifest import DTYPES, Kernel, Manifest
from ..loader.source import detect_cpu
from ..requirements import in_training
from .jit import kernel
from .signatures import abi_argument_types, call_types


class Definition(NamedTuple):
    """The definition of a compiled function."""

    name: str  # room, module and function, or requirement: "ops.activations.activation tanh"
    function: Any  # the Python function
    signature: str  # types of its arguments, in the letters of `compiler/signatures.py`
    requires: str | None  # it is compiled for calls that list this requirement; None: for all calls
    indirect: bool = True  # whether it has a place in the tables
    entrance: bool = False  # whether Python calls it
    keeps_lock: bool = False  # whether its entrance holds Python's lock while it runs
    returns: str = ""  # "f": a float, "i": an int, "b": a bool, "": None; indirect kernels: None

    @property
    def module(self):
        """The kernel's module, from its room on: "ops.activations"."""
        return self.name.rpartition(".")[0]


_defined: list[Definition] = []  # in the order of definition, which differs between processes
#: The dtypes of networks for which the kernels of a requirement exist; requirements that are not in
#: here have kernels for all dtypes.
_dtypes_of: dict[str, Any] = {}


def _room(module):
    """Return the name of a kernel's module, from its room on."""
    return module.removeprefix(__package__.removesuffix("compiler"))


@cache
def definitions():
    """Return the Definitions of all kernels in the order of the manifest, by name.

    Indirect kernels come first, in the order of the tables: by module, those of one module in the
    order of definition. Importing the rooms, as this function does, defines every kernel.
    """
    importlib.import_module("..rooms", __package__)
    found = {kernel.name: kernel for kernel in _defined}
    if len(found) < len(_defined):
        names = [kernel.name for kernel in _defined]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise RuntimeError(f"kernels are defined twice: {', '.join(twice)}")
    return dict(sorted(found.items(), key=lambda item: (not item[1].indirect, item[1].module)))


@cache
def _places():
    """Return {name of an indirect kernel: its place}."""
    names = (name for name, kernel in definitions().items() if kernel.indirect)
    return {name: place for place, name in enumerate(names)}


def manifest():
    """Return the Manifest of all defined kernels."""

    def dtypes(requires):
        """Return the names of the dtypes for which kernels of a requirement exist."""
        chosen = _dtypes_of.get(requires)
        return DTYPES if chosen is None else tuple(d for d in DTYPES if np.dtype(d) in chosen)

    kernels = (
        Kernel(k.name, k.requires, dtypes(k.requires), k.indirect, k.entrance)
        for k in definitions().values()
    )
    return Manifest(detect_cpu(), tuple(kernels))


def _define(definition):
    """Append a Definition to `_defined`, and return its name.

    Raises
    ------
    RuntimeError
        If kernels have places in the tables already: the new kernel would shift them.
    """
    if definitions.cache_info().currsize:
        raise RuntimeError(
            f"kernel {definition.name} is defined too late: import its module in rooms.py"
        )
    _defined.append(definition)
    return definition.name


def _call(context, builder, table, place, values, signature, number):
    """Emit the call of the kernel at index `place` (an LLVM i64) of a table; return a dummy value.

    table: (Numba type, LLVM value) of the pointers (kernels,); values: LLVM value of the tuple of
    arguments, already cast; signature: the kernel's, in letters; number: the network's float32 or
    float64 as a Numba type; context, builder: Numba's target context, llvmlite's IRBuilder.
    """
    letters, (kind, pointers) = signature.split(), table
    expected = abi_argument_types(signature, number)
    data = context.make_array(kind)(context, builder, pointers).data
    wanted = context.call_conv.get_function_type(types.none, expected)
    pointer = builder.inttoptr(builder.load(builder.gep(data, [place])), wanted.as_pointer())
    items = [pointers] * (letters[0] == "T") + cgutils.unpack_tuple(builder, values)
    call = context.call_conv.call_function(builder, pointer, types.none, expected, items)
    if DEBUG:  # only the index checks of debug mode make a kernel return an error
        with cgutils.if_unlikely(builder, call[0].is_error):
            context.call_conv.return_status_propagate(builder, call[0])
    return context.get_dummy_value()


def restrict_dtypes(requires, dtypes):
    """Declare that the kernels of one requirement exist only for some dtypes of networks.

    requires: the requirement's name; dtypes: a container of dtypes. Calls for a network of another
    dtype that list the requirement compile none of its kernels.
    """
    _dtypes_of[requires] = dtypes


def indirect(signature, requires=None, entrance=False):
    """Return the decorator that makes a function an indirect kernel, which returns nothing.

    Compiled code calls it as name(table, …): table (kernels,) int64 holds the kernel pointers, and
    the arguments … are cast to the types of `signature`, a string of letters. If that begins with
    T, the kernel gets the table as its first argument. requires: the requirement of calls for which
    the kernel is compiled; None: all calls. entrance: whether Python calls it too, by
    `loader.tables.entry_point`.
    """

    def decorate(function):
        """Define `function` as an indirect kernel; return the intrinsic that calls it."""
        key = f"{_room(function.__module__)}.{function.__name__}"
        name = _define(Definition(key, function, signature, requires, entrance=entrance))

        @intrinsic
        def call(typingctx, table, *args):
            """Call the kernel with `args`; table (kernels,) int64: the kernel pointers."""
            shape, number = call_types(signature, args)

            def codegen(context, builder, sig, values):
                """Emit the call; values: LLVM values of the table and the arguments' tuple."""
                found, position = (table, values[0]), cgutils.intp_t(_places()[name])
                return _call(context, builder, found, position, values[1], signature, number)

            return types.none(table, shape), codegen

        call.function = function
        call.__doc__ = function.__doc__
        return call

    return decorate


def entry(signature, requires, returns="", keeps_lock=False):
    """Return the decorator that makes a function an entry point, which only Python calls.

    signature: letters of its arguments' types; requires: the requirement of calls for which it is
    compiled; returns: the letter of its result; keeps_lock: whether its entrance holds Python's
    lock while the kernel runs, which pays for microseconds only.
    """

    def decorate(function):
        """Define `function`; return its dispatcher, by which compiled code may call it directly."""
        key = f"{_room(function.__module__)}.{function.__name__}"
        _define(Definition(key, function, signature, requires, False, True, keeps_lock, returns))
        return kernel(function)

    return decorate


def in_training_each(functions):
    """Return `functions`, a dict by requirement, with "in training" added to each key."""
    return {in_training(use): function for use, function in functions.items()}


def indirect_each(signature, functions, entrance=False):
    """Define several indirect kernels; return the intrinsic name(table, i, …) that calls the i-th.

    signature: letters of the arguments' types, for all kernels; the arguments … are cast to them.
    functions: a dict from requirement to Python function; i counts its entries from 0. table: the
    kernel pointers (kernels,) int64. entrance: whether Python calls them too. A kernel is named
    after the module of the first function and its requirement.
    """
    module = _room(next(iter(functions.values())).__module__)
    names = [
        _define(
            Definition(f"{module}.{requires}", function, signature, requires, entrance=entrance)
        )
        for requires, function in functions.items()
    ]

    @intrinsic
    def call(typingctx, table, which, *args):
        """Call entry number `which` (int64, from 0) of `functions` with `args`; return nothing.

        table (kernels,) int64: the kernel pointers; `which` is not an index of it.
        """
        shape, number = call_types(signature, args)

        def codegen(context, builder, sig, values):
            """Emit the call; values: LLVM values of table, `which`, and the arguments' tuple."""
            found, first = (table, values[0]), cgutils.intp_t(_places()[names[0]])
            place = builder.add(values[1], first)
            return _call(context, builder, found, place, values[2], signature, number)

        return types.none(table, types.int64, shape), codegen

    call.functions = tuple(functions.values())
    return call


def indirect_for(codes, signature, functions, requires, custom=(), entrance=False):
    """Define a kernel for each member of an enum; return an intrinsic, name(table, code, …).

    The intrinsic calls the kernel of the member with the value `code`. codes: an enum with the
    values 0, 1, …; signature: letters of the arguments' types, for all kernels; functions: a dict
    from member to Python function; requires(code): returns the requirement of a member's kernel;
    custom: a dict from a family of custom ops to a function that stands in their place, behind the
    members; entrance: whether Python calls the kernels too. A member without a function raises
    NotImplementedError.
    """
    modules = {function.__module__.partition(".")[2] for function in functions.values()}
    require_all(codes, functions, ", ".join(sorted(modules)))
    members = {requires(code): functions[code] for code in codes}
    return indirect_each(signature, members | dict(custom), entrance)
