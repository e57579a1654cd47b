"""The compiled backend: the ops and the training loop of fastnn, compiled by Numba."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return BACKEND, the backend of compiled ops; only now is Numba imported.

    name: "BACKEND"; any other name raises AttributeError. Some modules of this package are used
    without Numba.
    """
    if name != "BACKEND":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .backend import BACKEND

    return BACKEND
