"""Scratch memory for one call, which each thread keeps for its next call if it is small.

Memory freshly allocated by the system took a third of the time of predicting 1000 examples, and
1 µs of a call of `product` in float64. A block of 256 examples of 784 → 512 → 256 → 10 needs
1.6 MB.
"""

from __future__ import annotations

import threading

import numpy as np

from ...debug import DEBUG
from ...views import aligned_scratch

#: Largest request in bytes that is served from the vector which a thread keeps for each dtype, and
#: that vector's size; a larger request gets fresh memory, which is not kept.
MAX_SCRATCH_BYTES = 2**22


class _Kept(threading.local):
    """What each thread keeps: `memory`, a dict from dtype to a vector that is handed out."""

    def __init__(self):
        """Begin with an empty dict; this runs in each thread that first uses the object."""
        self.memory = {}


_kept = _Kept()


def scratch(size, dtype):
    """Return a vector that begins on a cache line, of at least `size` numbers of a NumPy `dtype`.

    A vector of up to MAX_SCRATCH_BYTES is the caller's only until this thread calls the function
    again: that call returns it anew, with its old content. A larger one is fresh memory. Debug mode
    fills either with NaN.
    """
    if size * dtype.itemsize > MAX_SCRATCH_BYTES:
        return aligned_scratch(size, dtype)
    kept = _kept.memory.get(dtype)
    if kept is None:
        kept = _kept.memory[dtype] = aligned_scratch(MAX_SCRATCH_BYTES // dtype.itemsize, dtype)
    elif DEBUG:
        kept.fill(np.nan)
    return kept
