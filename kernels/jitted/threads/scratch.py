"""Scratch memory of a call, of which each thread keeps a little for its next call.

Memory that the system hands out anew took a third of the time of predicting 1000 rows, and 1 µs of
a product's call in float64.
"""

from __future__ import annotations

import threading

import numpy as np

from ...debug import DEBUG
from ...views import aligned_scratch

MAX_SCRATCH_BYTES = 2**20  # bytes that a thread keeps, of each dtype


class _Kept(threading.local):
    """What each thread keeps: memory by dtype."""

    def __init__(self):
        self.memory = {}


_kept = _Kept()


def scratch(size, dtype):
    """Return a vector of `size` numbers at least, from a cache line on.

    Nothing else of this thread uses it until the next call of this function.
    """
    if size * dtype.itemsize > MAX_SCRATCH_BYTES:
        return aligned_scratch(size, dtype)
    kept = _kept.memory.get(dtype)
    if kept is None:
        kept = _kept.memory[dtype] = aligned_scratch(MAX_SCRATCH_BYTES // dtype.itemsize, dtype)
    elif DEBUG:
        kept.fill(np.nan)
    return kept
