"""Sparse rows: a CSR matrix of which some rows at a time are made dense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BLOCK = 2**22  # numbers that are dense at a time, if that is a batch at least: 32 MiB in float64


class SparseRows:
    """Rows (m, n) of a SciPy sparse matrix of finite numbers; indexed, they come as an array."""

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr()
        self.shape: tuple[int, int] = self.matrix.shape
        self.dtype: np.dtype[Any] = self.matrix.dtype
        self.size: int = self.shape[0] * self.shape[1]

    def max(self) -> float:
        """Return the largest number."""
        return float(self.matrix.max())

    def min(self) -> float:
        """Return the smallest number."""
        return float(self.matrix.min())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        dense: Array = self.matrix[rows].toarray()
        return dense


def at_once(n: int) -> int:
    """Return how many rows of n numbers are dense at a time."""
    return max(1, BLOCK // n)


def blocks(m: int, n: int) -> Iterator[slice]:
    """Yield the slices of m rows of n numbers that are dense at a time."""
    size = at_once(n)
    return (slice(i, i + size) for i in range(0, m, size))
