"""Codes: numbers as places within bins, by which a network finds steps and bends more easily."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import DataError

__all__ = ["PiecewiseLinearCodes"]

Array = NDArray[Any]
#: Of a bin, as a share of the feature's range; within narrower ones rounding would tell rows apart.
LEAST_WIDTH = 1e-3
#: Numbers of rows that are encoded at a time: what is between lies in the cache.
BLOCK_NUMBERS = 2**16


@dataclass(frozen=True)
class PiecewiseLinearCodes:
    """The piecewise-linear encoding of Gorishniy et al. (NeurIPS 2022, arXiv:2203.05556).

    A bin from a to b gives min(max((x − a) / (b − a), 0), 1): 1 in the bins below x, 0 in those
    above it, and the place of x in its own. The paper lets the outermost bins go on beyond 0 and
    1; here they end, because networks are given x itself beside its code.

    Attributes
    ----------
    features : tuple of int
        Columns of the matrix that have a code.
    edges : tuple of tuples of float
        For each of them the edges of its bins, rising.
    """

    features: tuple[int, ...]
    edges: tuple[tuple[float, ...], ...]

    @classmethod
    def learn(cls, X: Array, bins: int) -> PiecewiseLinearCodes:
        """Return the codes of X (m, n): bins of equally many rows.

        Edges that lie closer together than `LEAST_WIDTH` become one, and a feature that has fewer
        than two bins then has no code: one of 0 and 1 is such a code already.
        """
        places, edges = [], []
        quantiles = np.linspace(0, 1, bins + 1)
        for j in range(X.shape[1] if bins else 0):
            found = _apart(np.quantile(X[:, j], quantiles).astype(X.dtype).tolist())
            if len(found) > 2:
                places.append(j)
                edges.append(found)
        return cls(tuple(places), tuple(edges))

    @property
    def width(self) -> int:
        """Numbers in the code of a row."""
        return sum(len(each) - 1 for each in self.edges)

    @property
    def columns(self) -> NDArray[np.int64]:
        """The column of the matrix (width,) that each number of the code belongs to."""
        counts = [len(each) - 1 for each in self.edges]
        return np.repeat(np.array(self.features, np.int64), counts)

    def bins(self, dtype: Any) -> tuple[Array, Array]:
        """Return the lower and the upper edge (width,) of each number's bin."""
        pairs = [pair for each in self.edges for pair in pairwise(each)]
        low, high = np.array(pairs, dtype).reshape(-1, 2).T
        return low, high

    def transform(self, X: Array) -> Array:
        """Return X (m, n) and its codes, (m, n + width), in the dtype of X."""
        m, n = X.shape
        out = np.empty((m, n + self.width), X.dtype)
        out[:, :n] = X
        low, high = self.bins(X.dtype)
        wide, columns, step = high - low, self.columns, max(1, BLOCK_NUMBERS // out.shape[1])
        for k in range(0, m, step):
            code = out[k : k + step, n:]
            np.subtract(X[k : k + step, columns], low, out=code)
            np.divide(code, wide, out=code)
            np.clip(code, 0, 1, out=code)
        return out

    def config(self) -> dict[str, Any]:
        """Return the codes as plain data, which JSON can say."""
        return {"features": list(self.features), "edges": [list(each) for each in self.edges]}

    @classmethod
    def from_config(cls, data: Any, n: int) -> PiecewiseLinearCodes:
        """Return the codes of data that `config` returned, of a matrix of n columns.

        Raises
        ------
        DataError
            If they describe none.
        """
        try:
            features, edges = data["features"], data["edges"]
            fits = (
                set(data) == {"features", "edges"}
                and len(features) == len(edges)
                and all(type(j) is int and 0 <= j < n for j in features)
                and sorted(set(features)) == list(features)
                and all(_rising(each) for each in edges)
            )
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise DataError(f"the description of codes is none: {data!r:.200}")
        return cls(tuple(features), tuple(tuple(map(float, each)) for each in edges))


def _apart(edges: list[float]) -> tuple[float, ...]:
    """Return rising edges without those that lie too close to the one before them."""
    least = LEAST_WIDTH * (edges[-1] - edges[0])
    kept = edges[:1]
    for edge in edges[1:]:
        if edge - kept[-1] > least:
            kept.append(edge)
    return tuple(kept)


def _rising(edges: Any) -> bool:
    """Whether edges are more than two finite numbers that rise, in float32 too."""
    numbers = all(type(each) in (int, float) for each in edges)
    with np.errstate(over="ignore"):
        found = np.array(edges if numbers else (), np.float32)
    return len(found) > 2 and bool(np.isfinite(found).all() and (np.diff(found) > 0).all())
