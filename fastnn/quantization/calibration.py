"""Calibration: how large each layer's inputs are on a sample, and the bytes that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastnn import kernels
from fastnn.errors import DataError
from fastnn.export.stages import Scaling
from fastnn.kernels.int8_model import MAX_BYTE, Bytes

from .dense_steps import DenseStep

Array = np.ndarray[Any, Any]

BLOCK = 1024  # rows that a forward pass takes at a time
#: The smallest scale: products of two stay normal float32 numbers.
SMALLEST = 2.0**-60


def bytes_of_range(low: float, high: float) -> Bytes:
    """Return the bytes for numbers from low to high; 0 is always one of them, exactly.

    scale = (high − low) / 255 and zero point = round(−low / scale), the range widened to hold 0.
    Numbers beyond the range become its ends.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max((high - low) / MAX_BYTE, SMALLEST) if high > low else 1)
    return Bytes(scale, min(max(round(-low / float(scale)), 0), MAX_BYTE))


def scaled(scaling: Scaling | None, X: Array) -> Array:
    """Return rows X (m, n) as the first layer takes them, in float32."""
    if scaling is None:
        return np.asarray(X, np.float32)
    wide = X.astype(np.float64) - scaling.shift.astype(np.float64) - scaling.rest
    return (wide * scaling.factor + scaling.offset).astype(np.float32)


def apply_step(step: DenseStep, A: Array) -> Array:
    """Return g(A W + b) (m, n_out) in float32.   A (m, n_in)."""
    Z = A @ step.W.astype(np.float32) + step.b.astype(np.float32)
    out = np.empty_like(Z)
    kernels.get("vectorized").activations[step.activation].forward(Z, out)
    return out


def blocks(X: Any) -> Iterator[slice]:
    """Yield slices of the rows of X, some at a time."""
    return (slice(i, i + BLOCK) for i in range(0, X.shape[0], BLOCK))


def calibrate(scaling: Scaling | None, steps: Sequence[DenseStep], X: Any) -> list[Bytes]:
    """Return the bytes of each step's inputs for rows X (m, n).

    The range of a step's inputs is from the smallest to the largest number of the sample.

    Raises
    ------
    DataError
        If numbers between layers are not finite.
    """
    lows, highs = np.zeros(len(steps)), np.zeros(len(steps))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for rows in blocks(X):
            A = scaled(scaling, X[rows])
            for number in range(len(steps)):
                A = apply_step(steps[number - 1], A) if number else A
                lows[number] = np.minimum(lows[number], A.min())
                highs[number] = np.maximum(highs[number], A.max())
    if not np.isfinite([lows, highs]).all():
        number = int(np.argmin(np.isfinite(lows) & np.isfinite(highs))) + 1
        raise DataError(
            f"the inputs of dense layer {number} leave float32 on X_sample; scale the data down"
        )
    return [bytes_of_range(*each) for each in zip(lows.tolist(), highs.tolist(), strict=True)]
