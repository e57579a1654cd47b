"""The mix of classes in a window: rows that are sorted by class need many pieces in it."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .reader import Window
from .targets import Targets

Array = np.ndarray[Any, Any]
#: Distance between the classes of a window and those of all rows from which on a fit warns: 0 is
#: the same mix, 1 one class a window. Ten sorted classes come to about 0.33 with 16 pieces a window
#: and to 0.12 with 128; the former cost up to 18 points of accuracy, the latter half a point.
FAR = 0.28


def distance(counts: Array, shares: Array) -> float:
    """Return how far a window's classes (K,) are from the shares (K,) of all rows, beyond chance.

    That is ½ Σ |share in the window − share|, less what a window of as many random rows has on
    average and 1/√n, over what windows of one class each have on average, 1 − Σ share². Of n
    random rows one changes that sum by 1/n at most, so that it passes its mean by 1/√n with a
    probability of e⁻² at most (McDiarmid's inequality), whatever the shares.
    """
    n = counts.sum()
    chance = 0.5 * np.sqrt(2 / math.pi * shares * (1 - shares) / n).sum()
    apart = 0.5 * np.abs(counts / n - shares).sum() - 1 / math.sqrt(n)
    spread = 1 - float((shares**2).sum())
    return float((apart - chance) / spread) if spread > 0 else 0.0


class ClassMix:
    """Looks at the classes of windows, and warns once where they are far from those of all rows."""

    def __init__(self, targets: Targets) -> None:
        self.warned = targets.labels is None
        if targets.labels is not None:
            counts = np.bincount(targets.labels, minlength=max(targets.K, 2))
            self.labels, self.shares = targets.labels, counts / counts.sum()

    def look_at(self, window: Window) -> None:
        """Warn if the window's classes are far from those of all rows."""
        if self.warned or window.last or not window.places.size:  # the last one may be short
            return
        counts = np.bincount(self.labels[window.places], minlength=len(self.shares))
        if distance(counts, self.shares) <= FAR:
            return
        self.warned, often = True, int(counts.argmax())
        warnings.warn(
            f"a window of {counts.sum()} rows has {counts[often] / counts.sum():.0%} of class "
            f"{often}, which has {self.shares[often]:.0%} of all: the rows seem to be sorted by "
            "class, and steps follow whichever class they meet. Give a larger window, store the "
            "rows in smaller chunks, or shuffle the file once",
            UserWarning,
            stacklevel=2,
        )
