"""Kernels of custom ops: compiled in memory, for a place that every table of pointers keeps free.

A family of custom ops, as that of the losses, has one place: a call runs at most one op of it, and
gets a table of its own with the address of that op's kernel in this place.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import NumbaError

from ...custom_ops import FAMILIES, OPS
from ..loader import linker, tables
from .definitions import definitions
from .jit import kernel
from .number_functions import compiled
from .object_code import compile_function
from .signatures import abi_argument_types, network_type

#: Family → function that makes an op's kernel, a Python function, of the op and its compiled
#: functions.
_makers: dict[str, Any] = {}


def makes_kernels_of(family):
    """Return the decorator of the function that makes the kernels of one family of custom ops."""

    def decorate(maker):
        """Note `maker`, a function of (op, its compiled functions…), and return it."""
        _makers[family] = maker
        return maker

    return decorate


@cache
def compiled_functions(op):
    """Return a tuple with Numba's dispatcher of each of a CustomOp's functions of numbers.

    Raises
    ------
    TypeError
        If one is an object that Numba cannot compile, and no function that is written in Python.
    """
    return tuple(map(compiled, op.functions))


def compiled_values(op, number, samples):
    """Compile a CustomOp's function of that number for float64 numbers.

    samples: an array (n,) for each argument. Return (what it gives for each, a list; Numba's type
    of that; None), or (None, None, why it cannot be compiled, a str).
    """
    try:
        function = compiled_functions(op)[number]
        function.compile((types.float64,) * len(samples))
        # A kernel would look for objects of Python where Numba keeps those of a loaded function.
        if "numba_gil_ensure" in function.inspect_llvm(function.signatures[-1]):
            return None, None, "it calls Python's interpreter, as print does"
        found = [function(*sample) for sample in zip(*samples, strict=True)]
    except NumbaError as error:
        return None, None, _first_reason(str(error))
    except Exception as error:  # what Numba does not foresee is of every type
        return None, None, f"{type(error).__name__}: {error}"
    return found, function.nopython_signatures[-1].return_type, None


def compile_error(op, samples, values):
    """Compile a CustomOp's functions of float64 numbers; return None, or why Numba cannot, a str.

    samples: an array (n,) for each argument; values: for each function the numbers (n,) that it
    gives. A compiled function must return such numbers too.
    """
    for number, role in enumerate(op.roles):
        found, result, reason = compiled_values(op, number, samples)
        if reason is not None:
            return f"{role}: {reason}"
        if not isinstance(result, types.Float | types.Integer | types.Boolean):
            return f"{role} returns {result}, not a number"
        apart = ~np.isclose(found, values[number], rtol=1e-8, atol=1e-10, equal_nan=True)
        if apart.any():
            i = int(apart.argmax())
            at = ", ".join(f"{sample[i]:.6g}" for sample in samples)
            return f"compiled, {role}({at}) is {found[i]:.9g}, not {values[number][i]:.9g}"
    return None


def _first_reason(text):
    """Return the first line of a Numba error's text that says more than where Numba stopped."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Failed in nopython")]
    return lines[0].rstrip(".") if lines else "no reason given"


@cache
def _address(op, dtype):
    """Return the address of a CustomOp's kernel for networks of a dtype, the name of a float type.

    Nothing is forgotten: tables may hold the addresses of compiled kernels for ever.
    """
    signature = _family(op.family).signature
    maker = kernel(_makers[op.family](op, *compiled_functions(op)))
    types_ = abi_argument_types(signature, network_type(dtype))
    name = f"{op.requirement} {dtype}"
    with linker.lock:
        linker.LINKER.link({name: compile_function(maker, types_, types.none, name)})
        return linker.LINKER.addresses[name]


@cache
def _family(family):
    """Return the Definition of the function that stands in the place of a family of custom ops."""
    (found,) = (kernel for kernel in definitions().values() if kernel.requires == family)
    return found


def _required_ops(requirements):
    """Return {family: CustomOp} of a call's requirements, a frozenset.

    Raises
    ------
    RuntimeError
        If a name got another op, or one that is not compiled, since the call began: the table of
        pointers would have no kernel in that place.
    """
    ops = {}
    for requirement in requirements:
        family, _, name = requirement.rpartition(" ")[0].rpartition(" ")
        if family not in FAMILIES:
            continue
        op = OPS.get(requirement)
        if op is None or not op.functions:
            how = "" if op is None else ", as one that is not compiled,"
            raise RuntimeError(
                f"{family} {name!r} was registered anew{how} while a call ran that uses it; "
                "call again"
            )
        ops[family] = op
    return ops


@lru_cache(maxsize=256)
def kernel_pointers(dtype, requirements=frozenset(), processes=1, ahead=frozenset()):
    """Return the kernel pointers (kernels,) int64 of a call with custom ops.

    Arguments as in `tables.kernel_pointers`; requirements hold those of the custom ops too.
    """
    ops = _required_ops(requirements)  # first: names may get other ops while kernels compile
    pointers = tables.kernel_pointers(dtype, requirements, processes, ahead).copy()
    names = [name for name, kernel in definitions().items() if kernel.indirect]
    for family, op in ops.items():
        pointers[names.index(_family(family).name)] = _address(op, np.dtype(dtype).name)
    return pointers
