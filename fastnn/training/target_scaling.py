"""Target scaling: networks of values learn z-scores of their targets, and predict in y's unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError
from fastnn.losses import Loss

__all__ = ["TargetScaling", "check_scalable", "is_constant"]

Array = np.ndarray[Any, Any]
FLOAT64 = np.dtype(np.float64)
Blocks = Callable[[], Iterable[tuple[Array, Array]]]


@dataclass(frozen=True, eq=False)
class TargetScaling:
    """The mean and the standard deviation of each column of targets Y (m, K).

    Attributes
    ----------
    mean, deviation : ndarray (K,)
        In float64; the deviation of a constant column is 1.
    """

    mean: Array
    deviation: Array

    @classmethod
    def learn(cls, blocks: Blocks, total: float) -> TargetScaling:
        """Return the scaling of all rows of targets, weighted by w (m,).

        The mean is taken off before squares are summed, so that a large one does not cancel. Sums
        are of fractions of the largest number, whose squares are finite. Rows of weight 0 count as
        not there.

        Parameters
        ----------
        blocks : callable
            Returns all rows of targets with their weights, some at a time: pairs (Y, w).
        total : float
            Σ w.

        Raises
        ------
        DataError
            If differences of targets are infinite.
        """

        def counted() -> Iterator[tuple[Array, Array]]:
            return ((Y[w > 0], w[w > 0]) for Y, w in blocks())

        largest = _largest(counted, 0.0)
        mean = largest * _moment(counted, total, 1, 0.0, largest)
        with np.errstate(over="ignore"):
            spread = _largest(counted, mean)
        if not np.isfinite(spread).all():
            raise DataError(
                f"y holds numbers up to {largest.max():.3g}, whose differences leave float64; "
                "scale them down"
            )
        deviation = spread * np.sqrt(_moment(counted, total, 2, mean, spread))
        return cls(mean, np.where(is_constant(deviation, mean), 1.0, deviation))

    def encode(self, Y: Array, dtype: np.dtype[Any] = FLOAT64) -> Array:
        """Return z-scores (m, K) of targets Y (m, K), in float64; all are finite in dtype."""
        with np.errstate(over="ignore"):
            scores: Array = (Y - self.mean) / self.deviation
        largest = max(float(scores.max(initial=0)), -float(scores.min(initial=0)))
        if largest > float(np.finfo(dtype).max):
            raise DataError(
                f"y lies up to {largest:.3g} deviations from the mean of the targets that the "
                f"network has learnt, too far for {dtype}; look for wrong numbers in y"
            )
        return scores

    def decode(self, A: Array) -> Array:
        """Return z-scores A (m, K) in the targets' unit and in A's dtype."""
        values: Array = A * self.deviation.astype(A.dtype) + self.mean.astype(A.dtype)
        return values


def is_constant(deviation: Any, mean: Any) -> Any:
    """Return whether deviations are no more than the rounding of means of that size."""
    return deviation <= 1e-12 * np.abs(mean)


def _largest(blocks: Blocks, center: Array | float) -> Array:
    """Return the largest |y − center| of each column, 1 where it is 0."""
    found = np.max([np.abs(Y - center).max(axis=0, initial=0) for Y, _ in blocks()], axis=0)
    largest: Array = np.where(found > 0, found, 1.0)
    return largest


def _moment(blocks: Blocks, total: float, power: int, center: Array | float, unit: Array) -> Array:
    """Return the weighted mean of ((y − center) / unit)^power of each column."""
    parts = [w.astype(np.float64) @ ((Y - center) / unit) ** power for Y, w in blocks()]
    mean: Array = np.sum(parts, axis=0) / total
    return mean


def check_scalable(scale_target: Any, loss: Loss, output: str) -> bool:
    """Return whether targets are to be scaled; refuse it where they are no values of any size."""
    if not arguments.flag(scale_target, "scale_target"):
        return False
    if output != "identity" or loss.check_targets is not arguments.real_targets:
        raise SettingError(
            f"scale_target is for values, which an output without activation gives, not for "
            f"{output} outputs and the loss {loss.name!r}; leave it out"
        )
    return True
