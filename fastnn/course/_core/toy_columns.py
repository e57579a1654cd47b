"""Points in the plane as the notebooks hold them: in columns, drawn from the global generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Array


def to_columns(
    points: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> tuple[Array, NDArray[np.int64]]:
    """Return X (2, m) and Y (1, m) of points (m, 2) and classes (m,)."""
    X, y = points
    return np.ascontiguousarray(X.T), y.reshape(1, -1)


def advance_generator(seed: int, m: int) -> None:
    """Leave NumPy's global generator where a notebook does, which draws its m points from it."""
    np.random.seed(seed)
    np.random.shuffle(np.arange(m))
    np.random.randn(m, 2)
