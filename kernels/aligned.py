"""Vectors of numbers that begin on a cache line, so that none of the CPU's vectors crosses one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

ALIGNMENT = 64  # bytes: one cache line, and the widest vector register


def aligned_zeros(size: int, dtype: DTypeLike) -> np.ndarray[Any, Any]:
    """Return a zeroed vector (size,) that begins on a cache line."""
    length = size * np.dtype(dtype).itemsize
    raw = np.zeros(length + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + length].view(dtype)
