"""Vectors of numbers that begin on a cache line, so that none of the CPU's vectors crosses one."""

from __future__ import annotations

from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: one cache line, and the widest vector register


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return a zeroed vector (size,) that begins on a cache line."""
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)
