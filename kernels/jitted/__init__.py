"""The compiled backend: the same ops and the same run, through Numba."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return BACKEND, which imports the compiler; rooms that need none can be imported without."""
    if name != "BACKEND":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .backend import BACKEND

    return BACKEND
