"""Tables of kernel pointers, and entry points: what Python calls.

Compiled code calls indirect kernels by a table of their addresses, one for each dtype of networks.
"""

from __future__ import annotations

import contextlib
import importlib
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...debug import DEBUG
from . import linker
from .manifest import DTYPES, entrance_name, object_name, objects_of_call
from .source import manifest, no_compiler, source
from .unrequested import stand_in

#: True: the table of a call holds only the kernels that this call requires. A kernel missing in its
#: requirements is then found even if an earlier call had that kernel compiled.
STRICT = DEBUG


class _Table(NamedTuple):
    """The table of function pointers for networks of one dtype."""

    pointers: Any  # (kernels,) int64: addresses of compiled kernels, and of stand-ins for the rest
    linked: set[int]  # places that hold a compiled kernel


def _provide(names, processes=1, ahead=()):
    """Link the objects of these names that are not linked yet; those that are missing are compiled.

    processes: how many may compile at the same time, this one included; ahead: names of objects
    that are compiled too, not linked, if any others are.
    """
    with linker.lock:
        linked = linker.LINKER.addresses
        names = [name for name in names if name not in linked]
        if not names:
            return
        store = source().store
        found = {name: store.read(name) for name in names}
        missing = [name for name in names if found[name] is None]
        if missing:
            ahead = [name for name in ahead if name not in linked | found]
            ahead = [name for name in ahead if not store.holds(name)]
            compiler = importlib.import_module("..compiler.production", __package__)
            codes = compiler.produce([*missing, *ahead], processes)
            found |= {name: codes[name] for name in missing}
        linker.LINKER.link(found)


@cache
def _indirect():
    """Return the tuple of indirect Kernels, in the order of the tables."""
    return tuple(kernel for kernel in manifest().kernels if kernel.indirect)


@cache
def _stand_ins():
    """Return pointers (kernels,) int64 to stand-ins: a table without any compiled kernel."""
    return np.array([stand_in(kernel.name) for kernel in _indirect()], np.int64)


@cache
def _table(dtype):
    """Return the _Table for networks of a dtype, the name of a float type."""
    return _Table(_stand_ins().copy(), set())


def _name(dtype):
    """Return the name of a network's NumPy dtype; raise TypeError if it has no kernels."""
    dtype = np.dtype(dtype)
    if dtype.name not in DTYPES or not dtype.isnative:
        raise TypeError(f"compiled kernels are of {' or '.join(DTYPES)}, not of {dtype}")
    return dtype.name


def required_kernels_of(requirements, dtype):
    """Return a list of (place, Kernel) that a call needs; place: an index in the list of kernels.

    These are the kernels without a requirement, and those whose requirement is in `requirements`,
    a set of names, and that exist for networks of `dtype`, the name of a float type.
    """
    return [
        (place, kernel)
        for place, kernel in enumerate(manifest().kernels)
        if (kernel.requires is None or kernel.requires in requirements) and dtype in kernel.dtypes
    ]


@contextlib.contextmanager
def _helped(processes):
    """Start helpers for a `with` statement if a process of these kernels has never compiled before.

    This process imports Numba then to learn which kernels there are, and the helpers do so at the
    same time. processes: how many may compile at the same time, this one included.
    """
    with contextlib.ExitStack() as stack:
        if processes > 1 and source().store.manifest is None and not no_compiler():
            helpers = importlib.import_module("..compiler.parallel_compile", __package__)
            stack.enter_context(helpers.started_ahead(processes))
        yield


@lru_cache(maxsize=256)
def kernel_pointers(dtype, requirements=frozenset(), processes=1, ahead=frozenset()):
    """Return the kernel pointers (kernels,) int64 of a call, for networks of `dtype`.

    requirements: a frozenset of the call's requirements; processes: how many may compile at the
    same time, this one included; ahead: a frozenset of requirements of calls to come, whose kernels
    are compiled if any of this call's are. Every kernel that the call needs is linked. At other
    places are stand-ins, or outside debug mode kernels that earlier calls needed.
    """
    dtype = _name(dtype)
    with linker.lock, _helped(processes):
        required = required_kernels_of(requirements, dtype)
        wanted, later = (
            [name for _, kernel in kernels for name in objects_of_call(kernel, dtype)]
            for kernels in (required, required_kernels_of(ahead, dtype))
        )
        _provide(wanted, processes, later)
    table = _table(dtype)
    places = [place for place, kernel in required if kernel.indirect]
    for place, kernel in required:
        if kernel.indirect:
            table.pointers[place] = linker.LINKER.addresses[object_name(kernel.name, dtype)]
    table.linked.update(places)
    if not STRICT:
        return table.pointers
    pointers = _stand_ins().copy()
    pointers[places] = table.pointers[places]
    return pointers


@cache
def entry_point(name, dtype):
    """Return a function of Python that calls a kernel, for networks of a NumPy dtype.

    name: the kernel's, as "step.loop.run_steps". The function lets go of Python's lock while the
    kernel runs, unless its definition keeps it. It raises TypeError for arguments that are not of
    the kernel's types.
    """
    dtype = _name(dtype)
    _provide([object_name(name, dtype), entrance_name(name, dtype)])
    return linker.python_function(name, linker.LINKER.addresses[entrance_name(name, dtype)])


def is_linked(dtype, place):
    """Return a bool: whether the kernel at index `place` is linked for networks of `dtype`."""
    return place in _table(_name(dtype)).linked


def count_ready(dtype):
    """Return (ready, total): how many kernels for networks of a dtype need no compiling."""
    names, store = manifest().objects(_name(dtype)), source().store
    return sum(map(store.holds, names)), len(names)


def provide_all(dtype, processes=1):
    """Link every kernel for networks of a dtype; those that are missing are compiled."""
    _provide(manifest().objects(_name(dtype)), processes)
