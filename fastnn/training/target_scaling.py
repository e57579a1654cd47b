"""Target scaling: networks of values learn z-scores of their targets, and predict in y's unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.losses import Loss

__all__ = ["TargetScaling", "check_scalable"]

Array = np.ndarray[Any, Any]
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

        Two passes keep a large mean from cancelling. Sums are of fractions of the largest number,
        whose squares are finite.

        Parameters
        ----------
        blocks : callable
            Returns all rows of targets with their weights, some at a time: pairs (Y, w).
        total : float
            Σ w.
        """
        largest = _largest(blocks, 0.0)
        mean = largest * _moment(blocks, total, 1, 0.0, largest)
        spread = _largest(blocks, mean)
        deviation = spread * np.sqrt(_moment(blocks, total, 2, mean, spread))
        # Below rounding of the mean itself a deviation is noise of a constant column.
        constant = deviation <= 1e-12 * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, deviation))

    def encode(self, Y: Array) -> Array:
        """Return z-scores (m, K) of targets Y (m, K), in float64."""
        scores: Array = (Y - self.mean) / self.deviation
        return scores

    def decode(self, A: Array) -> Array:
        """Return z-scores A (m, K) in the targets' unit and in A's dtype."""
        values: Array = A * self.deviation.astype(A.dtype) + self.mean.astype(A.dtype)
        return values


def _largest(blocks: Blocks, center: Array | float) -> Array:
    """Return the largest |y − center| of each column, 1 where it is 0."""
    found = np.max([np.abs(Y - center).max(axis=0) for Y, _ in blocks()], axis=0)
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
