"""Whether what a user registers is compiled, and what is said where it is not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from fastnn import kernels
from fastnn.errors import SettingError
from fastnn.kernels.backend import Backend

from . import arguments


def is_compiled(what: str, wanted: Any, find_reason: Callable[[Backend], str | None]) -> bool:
    """Return whether Numba compiles a user's functions.

    Called by the function that the user calls: its warning points there.

    Parameters
    ----------
    what : str
        What the functions are, as ``"loss 'log_cosh'"``.
    wanted : bool or None
        True: functions that Numba cannot compile are an error; False: they are not compiled; None:
        they are where they can be, and a warning says why they cannot.
    find_reason : callable
        Takes the ``jitted`` backend; returns why it cannot compile them, or None.

    Raises
    ------
    SettingError
        If they cannot be compiled and `wanted` is True, or `wanted` is none of the three.
    """
    if wanted is not None and not arguments.flag(wanted, "compiled"):
        return False
    jitted = kernels.get("jitted")
    if not jitted.available and wanted is None:
        return False
    reason = find_reason(jitted)
    if reason is not None and wanted:
        raise SettingError(
            f"{what} cannot be compiled: {reason}; write it with operators, math or NumPy "
            "functions of numbers, or leave compiled=True out"
        )
    if reason is not None:
        warnings.warn(
            f"{what} trains on the vectorized backend, for Numba cannot compile it ({reason}); "
            "compiled=False accepts that",
            UserWarning,
            stacklevel=3,
        )
    return reason is None
