"""Plain data: what a file says, believed only after it was checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import DataError

__all__ = ["finite", "finite_array", "texts"]


def finite(value: Any) -> float:
    """Return a number; DataError if it is none, or not finite."""
    if type(value) not in (int, float) or not np.isfinite(value):
        raise DataError(f"{value!r:.60} stands where a number should")
    return value  # type: ignore[no-any-return]


def finite_array(data: Any) -> NDArray[np.float64]:
    """Return a list of numbers as an array (k,); DataError if it is none, or empty."""
    if not isinstance(data, list) or not data:
        raise DataError(f"{data!r:.60} stands where a list of numbers should")
    return np.array([finite(each) for each in data], np.float64)


def texts(data: Any) -> dict[str, str]:
    """Return texts by texts; DataError if some are none."""
    if not all(isinstance(each, str) for pair in data.items() for each in pair):
        raise DataError("what became of its columns is no text")
    return dict(data)
