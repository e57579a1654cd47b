"""Stand-ins for kernels that a call did not request: they note their call instead of crashing.

A table of kernel pointers holds one wherever it holds no compiled kernel, so an address of 0 is
never jumped to.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

called: list[str] = []  # names of kernels whose stand-ins were called since the last report
_alive: list[Any] = []  # the stand-ins, whose code must not be freed


@cache
def stand_in(name):
    """Return the address of a function that notes the name of the kernel for which it stands."""

    @ctypes.CFUNCTYPE(ctypes.c_int)
    def note():
        called.append(name)
        return 0  # how Numba's functions say that all is well: the error is raised after the call

    _alive.append(note)
    return ctypes.cast(note, ctypes.c_void_p).value


def raise_if_called():
    """Raise if a call reached a kernel that it did not request; what it computed is void.

    Raises
    ------
    RuntimeError
        Naming the kernels.
    """
    if called:
        names = ", ".join(sorted(set(called)))
        called.clear()
        raise RuntimeError(
            f"a call reached kernels that it did not request: {names}; "
            "execution/kernel_selection.py tells what a program requires"
        )
