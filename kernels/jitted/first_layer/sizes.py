"""Block sizes of the first layer that are equal on all CPUs. This module imports no Numba.

A "number" is an element of the network's dtype.
"""

from __future__ import annotations

#: Largest number of groups of features whose products are summed separately, for any batch size.
FEATURE_GROUPS = 8
#: Largest number of features that a STRIDED kernel sums at a time; 2 · STRIDED_KC where the weights
#: of that many features still stay in the first-level cache. Fewer than 2 · STRIDED_KC features are
#: one tile.
STRIDED_KC = 768
#: Numbers of the block of X that a thread gathers and scales at a time: the block stays in the
#: second-level cache.
GATHER_BLOCK_NUMBERS = 48 * 1024
#: Features of that block: 33 cache lines of float32. With an odd count of lines the examples of a
#: block spread over the sets of the cache.
GATHER_BLOCK_FEATURES = 528
#: Largest number of examples of that block.
GATHER_BLOCK_ROWS = GATHER_BLOCK_NUMBERS // GATHER_BLOCK_FEATURES
#: float32 numbers of scratch that an int8 product needs for a thread: packed bytes of X, the other
#: factor as signed bytes (limbs), and up to a cache line to align them.
INT8_SCRATCH = 112 * 1024
