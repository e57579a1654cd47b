"""The functions of `kernels/partition.py`, compiled: shares of threads, padding to cache lines."""

from __future__ import annotations

from ... import partition
from ..compiler.jit import inlined, kernel

pad_to_cache_lines = kernel(partition.pad_to_cache_lines)
partition_cache_lines = inlined(partition.partition_cache_lines)
static_partition = inlined(partition.static_partition)
