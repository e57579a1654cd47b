"""CSR: sparse rows as kernels read them, three vectors that act like an array."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class SparseRows:
    """Rows (m, n) of finite float32 or float64 numbers; indexed, they come as an array (k, n).

    data : ndarray (nnz,)
        The numbers that are held, row by row.
    indices : ndarray (nnz,) of int32
        Their columns, rising within a row.
    indptr : ndarray (m + 1,) of int64
        Where each row begins.

    Vectors of those types are kept as they are, others are converted: kernels compile for one type
    of each. Nothing that comes in is changed.

    Raises
    ------
    ValueError
        If they make no such rows, which kernels would read past their ends.
    """

    ndim = 2

    def __init__(self, data: Array, indices: Array, indptr: Array, shape: tuple[int, int]) -> None:
        m, n = int(shape[0]), int(shape[1])
        self.indptr = np.require(indptr, np.int64, ["C", "A"])
        if self.indptr.shape != (m + 1,) or self.indptr[0] != 0 or (np.diff(self.indptr) < 0).any():
            raise ValueError(f"indptr must rise from 0 in {m + 1} entries, one a row and the end")
        nnz = int(self.indptr[-1])
        if data.dtype not in (np.float32, np.float64) or data.ndim != 1 or len(data) < nnz:
            raise ValueError(f"data must hold {nnz} float32 or float64, got {data.dtype}")
        self.data = np.require(data[:nnz], None, ["C", "A"])
        self.indices = self._columns(np.asarray(indices)[:nnz], n)
        self.shape, self.size, self.dtype = (m, n), m * n, self.data.dtype

    def _columns(self, indices: Array, n: int) -> Array:
        """Return indices (nnz,) as int32, or say that a row's do not rise within 0 … n−1."""
        nnz = len(self.data)
        rising = indices[1:] > indices[:-1]
        starts = self.indptr[(self.indptr > 0) & (self.indptr < nnz)]
        rising[starts - 1] = True
        within = nnz == 0 or 0 <= indices.min() <= indices.max() < n < 2**31
        if len(indices) != nnz or not within or not rising.all():
            raise ValueError(f"indices of a row must rise, within 0 … {n - 1}, one for each number")
        columns: Array = np.require(indices, np.int32, ["C", "A"])
        return columns

    def max(self) -> float:
        """Return the largest number, zero included."""
        return float(self.data.max(initial=0))

    def min(self) -> float:
        """Return the smallest number, zero included."""
        return float(self.data.min(initial=0))

    def __len__(self) -> int:
        return self.shape[0]

    def _positions(self, rows: Array) -> tuple[Array, Array]:
        """Return how many numbers each of the rows (k,) holds, and where in data they lie."""
        starts = self.indptr[rows]
        counts = self.indptr[rows + 1] - starts
        ends = np.cumsum(counts)
        return counts, np.repeat(starts - ends + counts, counts) + np.arange(counts.sum())

    def __getitem__(self, rows: Any) -> Array:
        chosen = np.arange(len(self))[rows]
        counts, positions = self._positions(chosen)
        dense = np.zeros((len(chosen), self.shape[1]), self.dtype)
        dense[np.repeat(np.arange(len(chosen)), counts), self.indices[positions]] = self.data[
            positions
        ]
        return dense

    def take(self, rows: Array, axis: int = 0) -> SparseRows:
        """Return the rows (k,) of these numbers, sparse; `axis` is 0, as for arrays."""
        counts, positions = self._positions(rows)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        shape = (len(rows), self.shape[1])
        return SparseRows(self.data[positions], self.indices[positions], indptr, shape)
