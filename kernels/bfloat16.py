"""Rounding to bfloat16: float32 without the last 16 bits of its fraction, for whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def rounded(X: Array) -> Array:
    """Return r(X), the numbers of X rounded to bfloat16, nearest even, in X's shape and dtype.

    NaN stays NaN; what rounds beyond 3.39e38, bfloat16's largest number, becomes infinite. Numbers
    of float64 are rounded to float32 before.
    """
    with np.errstate(over="ignore"):
        bits = np.ascontiguousarray(X, np.float32).view(np.uint32)
    kept = bits >> 16
    kept &= 1  # of two numbers as near, the one whose last bit is 0
    kept += 0x7FFF
    kept += bits
    kept &= 0xFFFF0000
    found: Array = kept.view(np.float32).reshape(X.shape)
    np.copyto(found, np.nan, where=np.isnan(X))
    return found.astype(X.dtype, copy=False)
