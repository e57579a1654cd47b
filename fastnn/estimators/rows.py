"""Rows that come in sparse, made dense some at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._sparse import SparseRows, at_once, blocks

Array = np.ndarray[Any, Any]
FLOATS = (np.float64, np.float32)


def rows_of(X: Any) -> Any:
    """Return X (m, n), an array or CSR, as `Network.fit` takes it: small ones dense."""
    if issparse(X):
        return X.toarray() if X.shape[0] <= at_once(X.shape[1]) else SparseRows(X)
    return X


def by_blocks(function: Callable[[Array], Array], X: Any) -> Array:
    """Return function(X) for X (m, n) dense or sparse, sparse rows some at a time."""
    if not issparse(X):
        return function(X)
    rows = SparseRows(X)
    return np.concatenate([function(rows[part]) for part in blocks(*rows.shape)])
