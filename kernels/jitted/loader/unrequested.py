"""Stand-ins for kernels that are not compiled: functions that note their call and do nothing else.

A table of kernel pointers holds the address of a stand-in wherever it holds no compiled kernel. A
call that reaches a kernel which it did not request thus ends with an error, not with a crash.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

called: list[str] = []  # names of kernels whose stand-ins ran since the last `raise_if_called`
_alive: list[Any] = []  # all stand-ins: they must live as long as tables hold their addresses


@cache
def stand_in(name):
    """Return the address (an int) of a C function that appends `name` to the list `called`.

    name: a kernel's name, a str.
    """

    @ctypes.CFUNCTYPE(ctypes.c_int)
    def note():
        """Append the kernel's name and return 0, the status of a Numba function without error."""
        called.append(name)
        return 0

    _alive.append(note)
    return ctypes.cast(note, ctypes.c_void_p).value


def raise_if_called():
    """Raise an error if a stand-in ran since the last call of this function, and clear the list.

    Whatever the compiled code has computed is wrong then.

    Raises
    ------
    RuntimeError
        Its text names the kernels that were called but not requested.
    """
    if called:
        names = ", ".join(sorted(set(called)))
        called.clear()
        raise RuntimeError(
            f"a call reached kernels that it did not request: {names}; "
            "execution/kernel_selection.py tells what a program requires"
        )
