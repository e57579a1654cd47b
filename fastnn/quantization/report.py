"""Reports: how far a quantised network's outputs are from those of the network on a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._runtime.text import plural
from fastnn.kernels.opcodes import Activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class QuantizationReport:
    """The differences of int8 outputs from the network's own, on the rows that calibrated them.

    Attributes
    ----------
    rows : int
        Of the sample.
    max_error, mean_error : float
        Largest and mean difference of an output: of probabilities, or of values in y's unit.
    same_labels : float or None
        Share of rows whose labels are the same; None where outputs are values.
    compared_with : str
        The arithmetic of the network: ``"float32"``, ``"float64"`` or ``"mixed precision"``.
    """

    rows: int
    max_error: float
    mean_error: float
    same_labels: float | None
    compared_with: str = "float32"

    def __str__(self) -> str:
        same = "" if self.same_labels is None else f", {self.same_labels:.2%} of labels the same"
        return (
            f"outputs differ from {self.compared_with}'s by up to {self.max_error:.3g}, "
            f"{self.mean_error:.3g} in the mean{same}, on {plural(self.rows, 'row')}"
        )


def labels(A: Array, activation: Activation) -> Array | None:
    """Return the classes (m,), or 0/1 (m, K), of outputs A (m, K); None where they are values."""
    if activation == Activation.SOFTMAX:
        return np.asarray(A.argmax(axis=1)[:, None])
    return np.asarray(A > 0.5) if activation == Activation.SIGMOID else None


def compare(
    given: Array, found: Array, activation: Activation, arithmetic: str
) -> QuantizationReport:
    """Return the report about outputs `found` (m, K) where the network's are `given`."""
    error = np.abs(found.astype(np.float64) - given)
    ours, theirs = labels(found, activation), labels(given, activation)
    same = None if ours is None or theirs is None else (ours == theirs).all(axis=1).mean()
    share = None if same is None else float(same)
    return QuantizationReport(
        len(error), float(error.max()), float(error.mean()), share, arithmetic
    )
