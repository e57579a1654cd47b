"""The compiled backend: the ops and the training loop of fastnn, compiled by Numba."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return BACKEND, and import Numba only now: some modules in here are used without it.

    Raises AttributeError for any other name.
    """
    if name != "BACKEND":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .backend import BACKEND

    return BACKEND
