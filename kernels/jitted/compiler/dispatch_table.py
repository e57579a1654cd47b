"""Kernels that others call through their addresses: compiled once, whoever calls them.

Numba hands the code of a callee to LLVM again at every level of callers: with seven levels a first
fit compiled for 26 s. An indirect kernel stops that: its callers load its address from a table of
pointers, one for each dtype of networks, and a call costs about 5 ns.
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
    """A kernel of the tables; its place is the same in each."""

    compiled: object  # Numba's dispatcher
    signature: str  # letters of its arguments, as `signatures` reads them
    requires: str | None  # what a program must name for it to be compiled; None: every program's


class _Table(NamedTuple):
    """The kernels for networks of one dtype."""

    pointers: Any  # (kernels,) int64: a compiled kernel's address, or its stand-in's
    compiled: set[int]  # places of the compiled ones


_defined: list[Any] = []  # the module of each `_Indirect` and itself, in the order of definition
_tables: dict[Any, _Table] = {}  # a `_Table` by Numba's type of the networks' numbers

#: Whether a call's table holds what the call requires and no more, lest it works only where another
#: call has had the rest compiled.
STRICT = DEBUG
#: By what kernels require: the dtypes of the networks for which they exist, if not all.
_dtypes_of: dict[str, Any] = {}


@cache
def _places():
    """Return the definitions in the order of the tables: by modules, of each as it defines them.

    Compiled code on disk holds places, so that order must not depend on what a process imports
    first; and importing the backend defines every kernel.
    """
    importlib.import_module("..backend", __package__)
    return sorted(range(len(_defined)), key=lambda number: _defined[number][0])


def indirect_kernels():
    """Return every `_Indirect` in the order of the tables."""
    return [_defined[number][1] for number in _places()]


def _define(module, function, signature, requires):
    """Note a kernel of a module, and return the number of its definition; nothing is compiled yet.

    Raises
    ------
    RuntimeError
        If the places in the tables have been given away.
    """
    if _places.cache_info().currsize:
        name = f"{module}.{function.__name__}"
        raise RuntimeError(f"kernel {name} is defined too late: import its module in backend.py")
    _defined.append((module, _Indirect(unwrapped(function), signature, requires)))
    return len(_defined) - 1


def _call(context, builder, table, place, values, signature, number):
    """Emit a call of the kernel at a place of a table (its type and value) with a tuple's items."""
    letters, (kind, pointers) = signature.split(), table
    expected = abi_argument_types(signature, number)
    data = context.make_array(kind)(context, builder, pointers).data
    wanted = context.call_conv.get_function_type(types.none, expected)
    pointer = builder.inttoptr(builder.load(builder.gep(data, [place])), wanted.as_pointer())
    items = [pointers] * (letters[0] == "T") + cgutils.unpack_tuple(builder, values)
    call = context.call_conv.call_function(builder, pointer, types.none, expected, items)
    if DEBUG:  # kernels raise nothing else than errors of indices
        with cgutils.if_unlikely(builder, call[0].is_error):
            context.call_conv.return_status_propagate(builder, call[0])
    return context.get_dummy_value()


def restrict_dtypes(requires, dtypes):
    """Say that kernels which require something exist for networks of these dtypes only."""
    _dtypes_of[requires] = dtypes


def indirect(signature, requires=None):
    """Decorate a kernel that returns nothing: compiled code calls it as name(table, …).

    Arguments are cast to the signature's types; a leading T hands the table on. Python calls
    `name.kernel(…)`, compiled apart. A kernel that `requires` something is compiled only for
    programs that name it.
    """

    def decorate(function):
        definition = _define(function.__module__, function, signature, requires)

        @intrinsic
        def call(typingctx, table, *args):
            shape, number = call_types(signature, args)

            def codegen(context, builder, sig, values):
                found, position = (table, values[0]), cgutils.intp_t(_places().index(definition))
                return _call(context, builder, found, position, values[1], signature, number)

            return types.none(table, shape), codegen

        call.kernel = kernel(function)
        call.__doc__ = function.__doc__
        return call

    return decorate


def in_training_each(functions):
    """Return kernels by what they require, changed to what they require in training only."""
    return {in_training(use): function for use, function in functions.items()}


def indirect_each(signature, functions):
    """Make kernels of one signature, by what they require: name(table, i, …) calls the i-th.

    Python calls name.kernels[i](…).
    """
    module = next(iter(functions.values())).__module__
    first = len(_defined)
    for requires, function in functions.items():
        _define(module, function, signature, requires)

    @intrinsic
    def call(typingctx, table, which, *args):
        shape, number = call_types(signature, args)

        def codegen(context, builder, sig, values):
            found, start = (table, values[0]), cgutils.intp_t(_places().index(first))
            place = builder.add(values[1], start)
            return _call(context, builder, found, place, values[2], signature, number)

        return types.none(table, types.int64, shape), codegen

    call.kernels = [kernel(function) for function in functions.values()]
    return call


def indirect_for(codes, signature, functions, requires):
    """Make a kernel for each member of an enum: name(table, code, …) calls that of a code.

    functions: kernels by member; requires(code): what the kernel of a member requires.
    """
    modules = {function.__module__.partition(".")[2] for function in functions.values()}
    require_all(codes, functions, ", ".join(sorted(modules)))
    return indirect_each(signature, {requires(code): functions[code] for code in codes})


def _is_kept(number, place):
    """Tell whether the cache holds the kernel at a place."""
    compiled, signature, _ = indirect_kernels()[place]
    return compiled._cache.holds(abi_argument_types(signature, number), compiled.targetctx)


def _compile(number, place):
    """Return the kernel at a place, compiled or loaded."""
    compiled, signature, _ = indirect_kernels()[place]
    expected = abi_argument_types(signature, number)
    compiled.compile(expected)
    return compiled.overloads[expected]


def compile_share(dtype, places):
    """Compile kernels into the cache, but those that another process has compiled meanwhile."""
    number = network_type(dtype)
    for place in places:
        if not _is_kept(number, place):
            _compile(number, place)


def _stand_ins():
    """Return a table's pointers before any kernel is compiled."""
    functions = (kernel.compiled for kernel in indirect_kernels())
    names = (f"{function.__module__}.{function.__name__}" for function in functions)
    above = __package__.removesuffix("compiler")
    return np.array([stand_in(name.removeprefix(above)) for name in names], np.int64)


def _required(dtype, required_kernels):
    """Return the places of the kernels whose requirements calls name, for a dtype."""
    return [
        place
        for place, (_, _, use) in enumerate(indirect_kernels())
        if use is None or (use in required_kernels and dtype in _dtypes_of.get(use, (dtype,)))
    ]


@lru_cache(maxsize=256)
def kernel_pointers(dtype, required_kernels=frozenset(), processes=1):
    """Return the pointers (kernels,) for networks of a dtype, compiled or loaded where required.

    required_kernels: what the call names; processes: how many may compile at once.
    """
    number = network_type(dtype)
    table = _tables.setdefault(number, _Table(_stand_ins(), set()))
    required = _required(dtype, required_kernels)
    missing = [place for place in required if place not in table.compiled]
    absent = [place for place in missing if not _is_kept(number, place)]
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
    """Tell whether the table for networks of a dtype holds a compiled kernel at a place."""
    number = network_type(dtype)
    return number in _tables and place in _tables[number].compiled


def compile_all(dtype, processes=1):
    """Compile or load every indirect kernel for networks of a dtype, by `processes` at most."""
    kernel_pointers(dtype, frozenset(use for _, _, use in indirect_kernels() if use), processes)
