"""Compiling ahead: all kernels that any network may need, and how many of them the cache holds."""

from __future__ import annotations

import numpy as np

from .dispatch_table import indirect_kernels, is_kept, kernel_pointers, required_places
from .signatures import network_type


def _all_requirements():
    """Return a frozenset of the requirements that any kernel has."""
    return frozenset(use for _, _, use in indirect_kernels() if use)


def count_kept(dtype):
    """Return (kept, total): how many of the kernels of `compile_all` the cache on disk holds.

    dtype: the networks' NumPy dtype, or its name.
    """
    places = required_places(np.dtype(dtype), _all_requirements())
    number = network_type(dtype)
    return sum(bool(is_kept(number, place)) for place in places), len(places)


def compile_all(dtype, processes=1):
    """Compile every indirect kernel for networks of `dtype`, or load it from the cache on disk.

    processes: how many processes may compile at the same time, this one included.
    """
    kernel_pointers(dtype, _all_requirements(), processes)
