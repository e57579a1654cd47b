"""Shares of threads, and vectors in whole cache lines, for Python and compiled code alike."""

from __future__ import annotations

CACHE_LINE = 64  # bytes


def pad_to_cache_lines(m, itemsize):
    """Return m rounded up to whole cache lines of numbers of `itemsize` bytes."""
    line = CACHE_LINE // itemsize
    return (m + line - 1) // line * line


def partition_cache_lines(m, itemsize, tid, n_threads):
    """Return first and last + 1 of a thread's share of m numbers: cache lines, nearly even."""
    line = CACHE_LINE // itemsize
    lines = (m + line - 1) // line
    return min(lines * tid // n_threads * line, m), min(lines * (tid + 1) // n_threads * line, m)


def static_partition(n, tid, n_threads):
    """Return first and last + 1 of a thread's share of n pieces, of nearly equal size.

    For pieces whose bits do not depend on the share they lie in. A lone thread is spared both
    divisions.
    """
    return (
        n * tid // n_threads if tid > 0 else 0,
        n * (tid + 1) // n_threads if tid + 1 < n_threads else n,
    )
