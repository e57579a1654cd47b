"""Kernels that others call through their addresses: compiled once, whoever calls them.

Numba hands the code of a callee to LLVM again at every level of callers: with seven levels a first
fit compiled for 26 s. A linked kernel is a wall: its callers load its address from a table that
the doors fill, one table a dtype, and a call costs about 5 ns.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...opcodes import require_all
from .array_abi import AbiArray, abi_types
from .jit import kernel, unwrapped
from .parallel_compile import helped

_linked = []  # every linked kernel, its signature and what needs it, in the order of the table
_tables = {}  # the table of each dtype, its addresses filled in as they are needed


def _types(signature, number):
    """Numba types of a signature's letters, for networks of float32 or float64 (`number`).

    F1, F2: C-contiguous arrays of the network's dtype; D1, D2: of float64; I1: of int64; T: the
    table; i, f: an int64 and a float64; X: the user's array as `memory.locate` describes it;
    others stand in EXTRA.
    """
    letters = {
        "F1": types.Array(number, 1, "C"),
        "F2": types.Array(number, 2, "C"),
        "D1": types.Array(types.float64, 1, "C"),
        "D2": types.Array(types.float64, 2, "C"),
        "I1": types.Array(types.int64, 1, "C"),
        "T": types.Array(types.int64, 1, "C"),
        "i": types.int64,
        "f": types.float64,
        "X": types.UniTuple(types.int64, 4),
    }
    return tuple((letters | EXTRA_TYPES)[letter] for letter in signature.split())


#: By the name of what needs them: the dtypes of the networks that kernels exist for, if not all.
REQUIRED_DTYPES = {}
#: Letters whose types other modules define: op tables, settings, places in the workspace.
EXTRA_TYPES = {}


def _enter(function, signature, requires):
    """Compile nothing yet, but give a kernel a place in the tables, and return it."""
    _linked.append((unwrapped(function), signature, requires))
    return len(_linked) - 1


def _call(context, builder, table, place, values, signature, number):
    """Emit a call of the kernel at a place of a table (its type and value) with a tuple's items."""
    letters, (kind, addresses) = signature.split(), table
    expected = abi_types(_types(signature, number))
    data = context.make_array(kind)(context, builder, addresses).data
    wanted = context.call_conv.get_function_type(types.none, expected)
    pointer = builder.inttoptr(builder.load(builder.gep(data, [place])), wanted.as_pointer())
    items = [addresses] * (letters[0] == "T") + cgutils.unpack_tuple(builder, values)
    context.call_conv.call_function(builder, pointer, types.none, expected, items)
    return context.get_dummy_value()


def _given(signature, args):
    """The tuple that arguments are cast to, and the network's dtype, from their types."""
    letters = [letter for letter in signature.split() if letter != "T"]
    numbers = [a.dtype for letter, a in zip(letters, args, strict=True) if letter[0] == "F"]
    number = numbers[0] if numbers else types.float64
    wanted = [
        given if isinstance(given, AbiArray) and given.array == kind else kind
        for kind, given in zip(_types(" ".join(letters), number), args, strict=True)
    ]
    return types.BaseTuple.from_types(wanted), number


def indirect(signature, requires=None):
    """Decorate a kernel that returns nothing: compiled code calls it as name(table, …).

    Arguments are cast to the signature's types; a leading T hands the table on. Python calls
    `name.kernel(…)`, compiled apart. A kernel that `requires` something is compiled only
    for programs that use what it names.
    """

    def decorate(function):
        place = _enter(function, signature, requires)

        @intrinsic
        def call(typingctx, table, *args):
            shape, number = _given(signature, args)

            def codegen(context, builder, sig, values):
                found, position = (table, values[0]), cgutils.intp_t(place)
                return _call(context, builder, found, position, values[1], signature, number)

            return types.none(table, shape), codegen

        call.kernel = kernel(function)
        call.__doc__ = function.__doc__
        return call

    return decorate


def in_training(use):
    """The name of what training needs for a use, beside what every purpose needs for it."""
    return f"{use} in training"


def in_training_each(functions):
    """The same kernels, needed in training only."""
    return {in_training(use): function for use, function in functions.items()}


def indirect_each(signature, functions):
    """Link kernels of one signature, by what needs them: name(table, i, …) calls the i-th.

    Python calls name.kernels[i](…).
    """
    first = len(_linked)
    for requires, function in functions.items():
        _enter(function, signature, requires)

    @intrinsic
    def call(typingctx, table, which, *args):
        shape, number = _given(signature, args)

        def codegen(context, builder, sig, values):
            found, place = (table, values[0]), builder.add(values[1], cgutils.intp_t(first))
            return _call(context, builder, found, place, values[2], signature, number)

        return types.none(table, types.int64, shape), codegen

    call.kernels = [kernel(function) for function in functions.values()]
    return call


def indirect_for(codes, signature, functions, requires):
    """Link a kernel for each member of an enum: name(table, code, …) calls that of a code.

    functions: kernels by member; requires: tells of a member what needs its kernel.
    """
    modules = {function.__module__.partition(".")[2] for function in functions.values()}
    require_all(codes, functions, f"{', '.join(modules)}")
    return indirect_each(signature, {requires(code): functions[code] for code in codes})


def _number(dtype):
    """Numba's type of a network's numbers, from a dtype or its name."""
    return types.float32 if np.dtype(dtype) == np.float32 else types.float64


def _is_kept(number, place):
    """Tell whether the cache holds the kernel at a place."""
    compiled, signature, _ = _linked[place]
    return compiled._cache.holds(abi_types(_types(signature, number)), compiled.targetctx)


def _compile(number, place):
    """Return the kernel at a place, compiled or loaded."""
    compiled, signature, _ = _linked[place]
    expected = abi_types(_types(signature, number))
    compiled.compile(expected)
    return compiled.overloads[expected]


def compile_share(dtype, places):
    """Compile kernels into the cache, but those that another process has compiled meanwhile."""
    number = _number(dtype)
    for place in places:
        if not _is_kept(number, place):
            _compile(number, place)


@lru_cache(maxsize=256)
def kernel_pointers(dtype, uses=frozenset(), processes=1):
    """Addresses of the linked kernels for networks of a dtype, compiled or loaded where needed.

    processes: how many may compile at once.
    """
    number = _number(dtype)
    addresses = _tables.setdefault(number, np.zeros(len(_linked), np.int64))
    missing = [
        place
        for place, (_, _, requires) in enumerate(_linked)
        if addresses[place] == 0
        and (
            requires is None
            or (requires in uses and dtype in REQUIRED_DTYPES.get(requires, (dtype,)))
        )
    ]
    absent = [place for place in missing if not _is_kept(number, place)]
    with helped(np.dtype(dtype).name, absent, processes) as order:
        for place in order:
            _compile(number, place)
    for place in missing:
        result = _compile(number, place)
        name = result.fndesc.llvm_func_name
        addresses[place] = result.library.get_pointer_to_function(name)
    return addresses


def compile_all(dtype, processes=1):
    """Compile or load every linked kernel for networks of a dtype, by so many processes at most."""
    kernel_pointers(dtype, frozenset(requires for _, _, requires in _linked if requires), processes)
