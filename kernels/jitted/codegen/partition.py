"""The functions of `kernels/partition.py`, compiled: shares of threads, padding to cache lines.

`divide` is for indices of tasks, of which a small network has one or few.
"""

from __future__ import annotations

from ... import partition
from ..compiler.jit import inlined, kernel

pad_to_cache_lines = kernel(partition.pad_to_cache_lines)
partition_cache_lines = inlined(partition.partition_cache_lines)
static_partition = inlined(partition.static_partition)


@inlined
def divide(n, d):
    """Return (n // d, n % d) for n ≥ 0 and d > 0; where n < d or d is 1, nothing is divided."""
    if n < d:
        return 0, n
    if d == 1:
        return n, 0
    return n // d, n % d
