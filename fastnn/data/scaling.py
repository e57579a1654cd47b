"""Standardizer: shift and scale of every feature, learnt from the training data alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import kernels
from fastnn._validation import arguments
from fastnn.errors import DataError, NotBuiltError, SettingError, ShapeError

__all__ = ["Standardizer"]

METHODS = ("z-score", "whole", "min-max", "robust")
#: Rows of X that are converted to float64 at a time.
CHUNK_ROWS = 4096
#: Numbers of X of which quartiles are found at a time: more of them are columns that lie apart.
CHUNK_NUMBERS = 2**20


class Standardizer:
    """Scales features: A = (X − shift) · factor, with both learnt from the data given to `fit`.

    The same arithmetic as the layers `Normalization` and `Rescaling`, for data that several
    networks or other models share. Fit it on the training part, then transform all parts: a dev or
    test part that helped to find mean and deviation is no longer unseen.

    Parameters
    ----------
    method : {"z-score", "whole", "min-max", "robust"}
        z-score: (x − μ) / σ by feature; whole: one μ and σ for the whole array; min-max: to [0, 1]
        by feature; robust: (x − median) / (upper − lower quartile) by feature, which outliers
        hardly move. A feature that never changes (or whose quartiles coincide) is only shifted.
        With weights all of these are the weighted ones.
    dtype : {"float32", "float64"}
        Of the result.

    Attributes
    ----------
    shift, factor : ndarray (…) or (1,)
        float64, of one example's shape; (1,) for whole.

    Raises
    ------
    SettingError
        If there is no such method or dtype.

    Examples
    --------
    >>> scaler = Standardizer()
    >>> scaler.fit_transform([[1, 10], [3, 10]])
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    """

    def __init__(self, method: str = "z-score", *, dtype: str = "float32") -> None:
        if method not in METHODS:
            known = ", ".join(map(repr, METHODS))
            raise SettingError(f"method {method!r} does not exist; choose one of {known}")
        self.method, self.dtype = method, arguments.dtype(dtype)
        self._shape: tuple[int, ...] | None = None

    def fit(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Standardizer:
        """Learn shift and factor from X (m, …) and return the standardizer itself.

        A row of weight 0 is no row, one of weight 2 is a row that stands there twice; for
        quartiles, weights that are not all whole numbers are scaled to a mean of 1 first.

        Raises
        ------
        ShapeError, DataError
            If X has no rows, numbers are not finite, or weights are not one for each row, none
            negative and not all zero.
        """
        array = arguments.numeric(X, "X")
        if array.ndim < 2 or not array.size:
            raise ShapeError(f"X must have shape (m, n) with at least one row, got {array.shape}")
        arguments.check_finite(array, "X")
        shape, rows, w = array.shape[1:], array.reshape(len(array), -1), None
        if sample_weight is not None:
            w = arguments.sample_weight(sample_weight, len(rows))
            rows, w = (rows, w) if w.all() else (rows[w > 0], w[w > 0])
        learn = {"min-max": _minimum_and_range, "robust": _median_and_quartiles}.get(
            self.method, _moments
        )
        shift, spread, level = learn(rows, w, self.method == "whole")
        # Below rounding of the level itself a spread is noise of a constant feature.
        constant = spread <= 1e-12 * np.abs(level)
        factor = 1 / np.where(constant, 1.0, spread)
        own = (1,) if self.method == "whole" else shape
        self._shape, self.shift, self.factor = shape, shift.reshape(own), factor.reshape(own)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return (X − shift) · factor, of X's shape and the standardizer's dtype.

        Both are taken in float64 and rounded once, for numbers may lie far from 0 and close
        together, as time stamps do.

        Raises
        ------
        NotBuiltError
            Before `fit`.
        ShapeError, DataError
            If examples have another shape than those fitted, or numbers are not finite.
        """
        array = self._rows(X)
        rows = array.reshape(len(array), math.prod(array.shape[1:]))  # -1 is unknown of no rows
        out = np.empty(rows.shape, self.dtype)
        shift, factor = self.shift.reshape(-1), self.factor.reshape(-1)
        standardize = kernels.get("vectorized").standardize
        for i in range(0, len(rows), CHUNK_ROWS):
            standardize(
                rows[i : i + CHUNK_ROWS].astype(np.float64),
                shift,
                factor,
                0.0,
                out[i : i + CHUNK_ROWS],
            )
        return out.reshape(array.shape)

    def fit_transform(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray[Any]:
        """Learn from X (m, …) and return it transformed; for training data only."""
        return self.fit(X, sample_weight).transform(X)

    def inverse_transform(self, A: ArrayLike) -> NDArray[Any]:
        """Return A / factor + shift: what `transform` made A from; errors as there."""
        array = self._rows(A, "A")
        out: NDArray[Any] = (array / self.factor + self.shift).astype(self.dtype)
        return out

    def _rows(self, X: ArrayLike, name: str = "X") -> NDArray[Any]:
        """Return an array (m, …) whose examples have the fitted shape."""
        if self._shape is None:
            raise NotBuiltError(
                "this Standardizer has learnt nothing yet; call fit with the training data first"
            )
        array = arguments.numeric(X, name)
        if array.ndim < 2 or array.shape[1:] != self._shape:
            wanted = ", ".join(map(str, self._shape))
            raise ShapeError(f"{name} must have shape (m, {wanted}) as in fit, got {array.shape}")
        arguments.check_finite(array, name)
        return array

    def __repr__(self) -> str:
        fitted = "" if self._shape is None else f", fitted to examples of shape {self._shape}"
        return f"Standardizer({self.method!r}, dtype={self.dtype.name!r}{fitted})"


Statistics = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
Weights = NDArray[np.float64] | None  # (m,), positive


def _moments(rows: NDArray[Any], w: Weights, whole: bool) -> Statistics:
    """Return mean and deviation (n,), or (1,) of the whole array, and the mean once more.

    Two passes over blocks of rows, and distances from the first row in the first of them, so that
    a large mean neither cancels nor swallows what lies around it.
    """

    def moment(power: int, center: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros(rows.shape[1])
        for i in range(0, len(rows), CHUNK_ROWS):
            block = (rows[i : i + CHUNK_ROWS].astype(np.float64) - center) ** power
            total += block.sum(axis=0) if w is None else w[i : i + CHUNK_ROWS] @ block
        mean: NDArray[np.float64] = total / (len(rows) if w is None else w.sum())
        return mean

    def of_all(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(numbers.mean(keepdims=True) if whole else numbers)

    first = rows[0].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # which the check then finds
        mean = of_all(first + moment(1, first))
        deviation = np.sqrt(of_all(moment(2, mean)))
    if not np.isfinite(deviation).all():
        raise DataError("X holds numbers too large to square; scale it down first")
    return mean, deviation, mean


def _minimum_and_range(rows: NDArray[Any], w: Weights, whole: bool) -> Statistics:
    """Return minimum, range and largest absolute value (n,)."""
    low, high = (a.astype(np.float64) for a in (rows.min(axis=0), rows.max(axis=0)))
    return low, high - low, np.maximum(np.abs(low), np.abs(high))


def _median_and_quartiles(rows: NDArray[Any], w: Weights, whole: bool) -> Statistics:
    """Return median, distance of the quartiles, and median (n,), some columns at a time."""
    shares, n = np.array([0.25, 0.5, 0.75]), max(1, CHUNK_NUMBERS // len(rows))
    found = []
    for i in range(0, rows.shape[1], n):
        numbers = rows[:, i : i + n].astype(np.float64)
        if w is None:
            found.append(np.quantile(numbers, shares, axis=0))
        else:
            found.append(np.array([_weighted_quantiles(x, w, shares) for x in numbers.T]).T)
    low, middle, high = np.concatenate(found, axis=1)
    return middle, high - low, middle


def _weighted_quantiles(
    x: NDArray[np.float64], w: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of x (m,) in which the number x[i] stands w[i] times, for each of the shares.

    Between neighbours they are linear, NumPy's default: type 7 of Hyndman and Fan, The American
    Statistician 50 (1996) 361.
    """
    if (w != np.floor(w)).any():
        w = w * (len(w) / w.sum())
    order = np.argsort(x)
    ends = np.cumsum(w[order])
    place = shares * max(ends[-1] - 1, 0)
    below, above = (
        x[order[np.minimum(np.searchsorted(ends, k, "right"), len(x) - 1)]]
        for k in (np.floor(place), np.floor(place) + 1)
    )
    found: NDArray[np.float64] = below + (place - np.floor(place)) * (above - below)
    return found
