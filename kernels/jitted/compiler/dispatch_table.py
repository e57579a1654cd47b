"""Indirect kernels: each is compiled once and called through a table of function pointers.

Numba hands the code of a direct callee to LLVM again at every level of callers: with seven levels a
first fit compiled for 26 s. Callers of an indirect kernel load its address from a table instead,
which costs about 5 ns a call. There is a table for each dtype of networks. In this module `place`
is a kernel's index in the tables, and `number` is Numba's type of the network's numbers, float32 or
float64.
"""

from __future__ import annotations

import importlib
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...debug import DEBUG
from ...opcodes import require_all
from ..requirements import in_training
from .jit import kernel, unwrapped
from .parallel_compile import started_helpers
from .signatures import abi_argument_types, call_types, network_type
from .unrequested import stand_in


class _Indirect(NamedTuple):
    """The definition of an indirect kernel; it has one place, equal in all tables."""

    compiled: object  # Numba's dispatcher, which compiles the kernel for a tuple of types
    signature: str  # types of its arguments, in the letters of `compiler/signatures.py`
    requires: str | None  # it is compiled for calls that list this requirement; None: for all calls


class _Table(NamedTuple):
    """The table of function pointers for networks of one dtype."""

    pointers: Any  # (kernels,) int64: addresses of compiled kernels, and of stand-ins for the rest
    compiled: set[int]  # places that hold a compiled kernel


_defined: list[Any] = []  # (module, `_Indirect`) of each kernel, in the order of definition
_tables: dict[Any, _Table] = {}  # the table for networks of each Numba type, float32 or float64

#: True: the table of a call holds only the kernels that this call requires. A kernel missing in its
#: requirements is then found even if an earlier call had that kernel compiled.
STRICT = DEBUG
#: The dtypes of networks for which the kernels of a requirement exist; requirements that are not in
#: here have kernels for all dtypes.
_dtypes_of: dict[str, Any] = {}


@cache
def _places():
    """Return a list: for each place, an index in the tables, the kernel's index in `_defined`.

    Kernels are sorted by the names of their modules, those of one module by definition. Compiled
    code on disk holds places, and the order of imports differs between processes. Importing the
    backend, as this function does, defines every kernel.
    """
    importlib.import_module("..backend", __package__)
    return sorted(range(len(_defined)), key=lambda number: _defined[number][0])


@cache
def indirect_kernels():
    """Return a tuple with the `_Indirect` of every kernel, in the order of the tables."""
    return tuple(_defined[number][1] for number in _places())


def _define(module, function, signature, requires):
    """Append the kernel `function`, not compiled, to `_defined`; return its index in that list.

    module: its module's name; function: a Python function; signature: letters of its arguments'
    types; requires: the requirement (a name) of calls for which it is compiled, or None.

    Raises
    ------
    RuntimeError
        If kernels have indices in the tables already: the new kernel would shift them.
    """
    if _places.cache_info().currsize:
        name = f"{module}.{function.__name__}"
        raise RuntimeError(f"kernel {name} is defined too late: import its module in backend.py")
    _defined.append((module, _Indirect(unwrapped(function), signature, requires)))
    return len(_defined) - 1


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


def indirect(signature, requires=None):
    """Return the decorator that makes a function an indirect kernel, which returns nothing.

    Compiled code calls it as name(table, …): table (kernels,) int64 holds the kernel pointers, and
    the arguments … are cast to the types of `signature`, a string of letters. If that begins with
    T, the kernel gets the table as its first argument. Python calls `name.kernel(…)`, compiled
    separately. requires: the requirement of calls for which the kernel is compiled; None: all
    calls.
    """

    def decorate(function):
        """Define `function` as an indirect kernel; return the intrinsic that calls it."""
        definition = _define(function.__module__, function, signature, requires)

        @intrinsic
        def call(typingctx, table, *args):
            """Call the kernel with `args`; table (kernels,) int64: the kernel pointers."""
            shape, number = call_types(signature, args)

            def codegen(context, builder, sig, values):
                """Emit the call; values: LLVM values of the table and the arguments' tuple."""
                found, position = (table, values[0]), cgutils.intp_t(_places().index(definition))
                return _call(context, builder, found, position, values[1], signature, number)

            return types.none(table, shape), codegen

        call.kernel = kernel(function)
        call.__doc__ = function.__doc__
        return call

    return decorate


def in_training_each(functions):
    """Return `functions`, a dict by requirement, with "in training" added to each key."""
    return {in_training(use): function for use, function in functions.items()}


def indirect_each(signature, functions):
    """Define several indirect kernels; return the intrinsic name(table, i, …) that calls the i-th.

    signature: letters of the arguments' types, for all kernels; the arguments … are cast to them.
    functions: a dict from requirement to Python function; i counts its entries from 0. table: the
    kernel pointers (kernels,) int64. Python calls name.kernels[i](…).
    """
    module = next(iter(functions.values())).__module__
    first = len(_defined)
    for requires, function in functions.items():
        _define(module, function, signature, requires)

    @intrinsic
    def call(typingctx, table, which, *args):
        """Call entry number `which` (int64, from 0) of `functions` with `args`; return nothing.

        table (kernels,) int64: the kernel pointers; `which` is not an index of it.
        """
        shape, number = call_types(signature, args)

        def codegen(context, builder, sig, values):
            """Emit the call; values: LLVM values of table, `which`, and the arguments' tuple."""
            found, start = (table, values[0]), cgutils.intp_t(_places().index(first))
            place = builder.add(values[1], start)
            return _call(context, builder, found, place, values[2], signature, number)

        return types.none(table, types.int64, shape), codegen

    call.kernels = [kernel(function) for function in functions.values()]
    return call


def indirect_for(codes, signature, functions, requires, custom=()):
    """Define a kernel for each member of an enum; return an intrinsic, name(table, code, …).

    The intrinsic calls the kernel of the member with the value `code`. codes: an enum with the
    values 0, 1, …; signature: letters of the arguments' types, for all kernels; functions: a dict
    from member to Python function; requires(code): returns the requirement of a member's kernel;
    custom: a dict from a family of custom ops to a function that stands in their place, behind the
    members. A member without a function raises NotImplementedError.
    """
    modules = {function.__module__.partition(".")[2] for function in functions.values()}
    require_all(codes, functions, ", ".join(sorted(modules)))
    members = {requires(code): functions[code] for code in codes}
    return indirect_each(signature, members | dict(custom))


def is_kept(number, place):
    """Return a bool: whether the cache on disk holds a kernel for networks of one dtype.

    number: the dtype as Numba's float32 or float64; place: the kernel's index in the tables.
    """
    compiled, signature, _ = indirect_kernels()[place]
    return compiled._cache.holds(abi_argument_types(signature, number), compiled.targetctx)


def _compile(number, place):
    """Compile a kernel, or load it from the cache on disk; return Numba's CompileResult.

    number: the network's dtype as Numba's float32 or float64; place: the kernel's index in the
    tables.
    """
    compiled, signature, _ = indirect_kernels()[place]
    expected = abi_argument_types(signature, number)
    compiled.compile(expected)
    return compiled.overloads[expected]


def compile_share(dtype, places):
    """Compile some kernels for networks of `dtype`, or its name, into the cache on disk.

    places: a list of the kernels' indices in the tables. Kernels that the cache holds are skipped.
    """
    number = network_type(dtype)
    for place in places:
        if not is_kept(number, place):
            _compile(number, place)


def _stand_ins():
    """Return pointers (kernels,) int64 to stand-ins: a table without any compiled kernel."""
    functions = (kernel.compiled for kernel in indirect_kernels())
    names = (f"{function.__module__}.{function.__name__}" for function in functions)
    above = __package__.removesuffix("compiler")
    return np.array([stand_in(name.removeprefix(above)) for name in names], np.int64)


def required_places(dtype, required_kernels):
    """Return a list of the places (indices in the table) of the kernels that a call needs.

    These are the kernels without a requirement, and those whose requirement is in
    `required_kernels`, a set of names, and exists for networks of `dtype`, a NumPy dtype.
    """
    return [
        place
        for place, (_, _, use) in enumerate(indirect_kernels())
        if use is None or (use in required_kernels and dtype in _dtypes_of.get(use, (dtype,)))
    ]


@lru_cache(maxsize=256)
def kernel_pointers(dtype, required_kernels=frozenset(), processes=1):
    """Return the kernel pointers (kernels,) int64 of a call, for networks of `dtype`.

    required_kernels: a frozenset of the call's requirements; processes: how many may compile at the
    same time, this one included. Every kernel that the call needs is compiled, or loaded from the
    cache on disk. At other places are stand-ins, or outside debug mode kernels that earlier calls
    needed.
    """
    number = network_type(dtype)
    table = _tables.setdefault(number, _Table(_stand_ins(), set()))
    required = required_places(dtype, required_kernels)
    missing = [place for place in required if place not in table.compiled]
    absent = [place for place in missing if not is_kept(number, place)]
    with started_helpers(np.dtype(dtype).name, absent, processes) as order:
        for place in order:
            _compile(number, place)
    for place in missing:
        result = _compile(number, place)
        name = result.fndesc.llvm_func_name
        table.pointers[place] = result.library.get_pointer_to_function(name)
        table.compiled.add(place)
    if not STRICT:
        return table.pointers
    pointers = _stand_ins()
    pointers[required] = table.pointers[required]
    return pointers


def is_compiled(dtype, place):
    """Return a bool: whether the kernel at index `place` is compiled for networks of `dtype`."""
    number = network_type(dtype)
    return number in _tables and place in _tables[number].compiled
