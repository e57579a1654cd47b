"""How work is divided among threads and vectors are padded, for Python and compiled code.

An index range is returned as its first index and its last index + 1.
"""

from __future__ import annotations

CACHE_LINE = 64  # bytes of a cache line


def pad_to_cache_lines(m, itemsize):
    """Return m, a count of numbers of `itemsize` bytes, rounded up to whole cache lines."""
    line = CACHE_LINE // itemsize
    return (m + line - 1) // line * line


def partition_cache_lines(m, itemsize, tid, n_threads):
    """Return the range of indices 0 … m − 1 that thread `tid` of n_threads works on.

    The m numbers have `itemsize` bytes each. Shares consist of whole cache lines, whose counts
    differ by at most one; a share may be empty.
    """
    line = CACHE_LINE // itemsize
    lines = (m + line - 1) // line
    return min(lines * tid // n_threads * line, m), min(lines * (tid + 1) // n_threads * line, m)


def static_partition(n, tid, n_threads):
    """Return the range of the indices 0 … n − 1 that thread `tid` of n_threads works on.

    Sizes of shares differ by at most one. The bits of a result must not depend on the share that
    computes it, because shares depend on n_threads. A lone thread computes no division.
    """
    return (
        n * tid // n_threads if tid > 0 else 0,
        n * (tid + 1) // n_threads if tid + 1 < n_threads else n,
    )
