"""Rows that come in sparse, made dense: whole where they are fitted, in blocks where predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

Array = np.ndarray[Any, Any]
FLOATS = (np.float64, np.float32)
SPARSE = ("csr", "csc")
BLOCK = 2**22  # numbers that are made dense at a time: 32 MiB in float64


def dense(X: Any) -> Array:
    """Return X (m, n) as an array."""
    rows: Array = X.toarray() if issparse(X) else X
    return rows


def by_blocks(function: Callable[[Array], Array], X: Any) -> Array:
    """Return function(X) for X (m, n) dense or sparse, sparse rows some at a time."""
    if not issparse(X):
        return function(X)
    X, size = X.tocsr(), max(1, BLOCK // X.shape[1])
    parts = [function(X[i : i + size].toarray()) for i in range(0, X.shape[0], size)]
    return np.concatenate(parts)
