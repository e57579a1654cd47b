"""Block sizes and scratch of the first layer that no CPU's registers decide. It needs no Numba."""

from __future__ import annotations

#: Most groups that the features of long rows are summed in, whatever the batch.
FEATURE_GROUPS = 8
#: Features of a tile of STRIDED at most; twice as many where the weights still stay in the
#: first-level cache. Rows of less than two tiles are one.
STRIDED_KC = 768
#: Numbers of a block that a thread gathers and scales at a time, for the second-level cache.
GATHER_BLOCK_NUMBERS = 48 * 1024
#: Features of such a block: an odd count of cache lines, so that rows spread over the cache's sets.
GATHER_BLOCK_FEATURES = 528
GATHER_BLOCK_ROWS = GATHER_BLOCK_NUMBERS // GATHER_BLOCK_FEATURES  # of such a block, at most
#: Numbers of scratch that an int8 product needs: limbs, panels, and up to a cache line's alignment.
INT8_SCRATCH = 112 * 1024
