"""How work is divided among threads, shards and processes, and vectors are padded.

For Python and compiled code. An index range is returned as its first index and its last index + 1.
"""

from __future__ import annotations

CACHE_LINE = 64  # bytes of a cache line


def pad_to_cache_lines(m, itemsize):
    """Return m, a count of numbers of `itemsize` bytes each, rounded up to whole cache lines."""
    line = CACHE_LINE // itemsize
    return (m + line - 1) // line * line


def partition_cache_lines(m: int, itemsize: int, tid: int, n_threads: int) -> tuple[int, int]:
    """Return (first, last + 1): the part of the indices 0 … m − 1 that thread `tid` works on.

    tid: index of the thread, from 0 to n_threads − 1; the m numbers have `itemsize` bytes each.
    Parts consist of whole cache lines, whose counts differ by at most one; a part may be empty. For
    n_threads = 1 nothing is divided.
    """
    line = CACHE_LINE // itemsize
    lines = (m + line - 1) // line
    return (
        min(lines * tid // n_threads * line, m) if tid > 0 else 0,
        min(lines * (tid + 1) // n_threads * line, m) if tid + 1 < n_threads else m,
    )


def static_partition(n: int, tid: int, n_threads: int) -> tuple[int, int]:
    """Return (first, last + 1): the part of the indices 0 … n − 1 that thread `tid` works on.

    tid: index of the thread, from 0 to n_threads − 1; of shards and of processes likewise. Sizes of
    parts differ by at most one. The bits of a result must not depend on the part that computes it,
    because parts depend on n_threads. For n_threads = 1 nothing is divided.
    """
    return (
        n * tid // n_threads if tid > 0 else 0,
        n * (tid + 1) // n_threads if tid + 1 < n_threads else n,
    )
