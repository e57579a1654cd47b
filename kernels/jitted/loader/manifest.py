"""The manifest: which kernels there are, in the order of the tables of pointers.

With it a process knows what to load for a call without importing the kernels' sources.
"""

from __future__ import annotations

from typing import NamedTuple

from .cpu import CPU

DTYPES = ("float32", "float64")  # of the networks that kernels are compiled for


class Kernel(NamedTuple):
    """A compiled function: an indirect kernel, which has a place in the tables, or an entry point.

    Its code is compiled for calls that list its requirement, or for all calls if that is None.
    """

    name: str  # room, module and function: "step.loop.run_steps"
    requires: str | None
    dtypes: tuple[str, ...] = DTYPES  # of the networks for which it exists
    indirect: bool = True  # whether it has a place in the tables
    entrance: bool = False  # whether Python calls it


class Manifest(NamedTuple):
    """All kernels of a source digest for one CPU target."""

    cpu: CPU
    kernels: tuple[Kernel, ...]  # indirect kernels first, in the order of the tables

    def as_json(self):
        """Return the manifest as lists that JSON can hold."""
        return [list(self.cpu), [list(kernel) for kernel in self.kernels]]

    @classmethod
    def from_json(cls, lists):
        """Return the manifest that `as_json` wrote."""
        cpu, kernels = lists
        return cls(
            CPU(*cpu),
            tuple(
                Kernel(name, requires, tuple(dtypes), *flags)
                for name, requires, dtypes, *flags in kernels
            ),
        )

    def objects(self, dtype):
        """Return a list of the names of all objects for networks of `dtype`, "float32" say."""
        kernels = [kernel for kernel in self.kernels if dtype in kernel.dtypes]
        return [name for kernel in kernels for name in object_names(kernel, dtype)]


def object_name(kernel, dtype):
    """Return the name of the object with a kernel's code, which is its symbol too.

    kernel: the kernel's name; dtype: name of the network's dtype.
    """
    return f"{kernel} {dtype}"


def entrance_name(kernel, dtype):
    """Return the name of the object with a kernel's entrance from Python, and of its symbol."""
    return f"{kernel} {dtype} entrance"


def object_names(kernel, dtype):
    """Return the names of a Kernel's objects: its code, and its entrance if it has one."""
    names = [object_name(kernel.name, dtype)]
    return [*names, entrance_name(kernel.name, dtype)] if kernel.entrance else names


def objects_of_call(kernel, dtype):
    """Return the names of a Kernel's objects that a call needs which requires it.

    The entrance of an indirect kernel is needed only where Python calls it as an op.
    """
    names = object_names(kernel, dtype)
    return names[:1] if kernel.indirect else names


def kernel_of(name):
    """Return (kernel, dtype), or (kernel, dtype, "entrance"), of the name of an object."""
    words = name.split(" ")  # the name of a kernel may hold spaces
    n = 2 if words[-1] == "entrance" else 1
    return " ".join(words[:-n]), *words[-n:]
