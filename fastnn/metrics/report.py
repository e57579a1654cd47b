"""The table of a classifier's precision, recall and F1, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._display.report import Report
from fastnn._display.table import Table

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, repr=False)
class ClassReport(Report):
    """Precision, recall, F1 and number of examples of every class; printing gives the table.

    Attributes
    ----------
    classes : tuple of str
        Names, K of them.
    precision, recall, f1 : ndarray (K,)
        In [0, 1].
    support : ndarray (K,)
        Examples of each class.
    accuracy : float
        Share of all examples that are right.
    """

    classes: tuple[str, ...]
    precision: Array
    recall: Array
    f1: Array
    support: Array
    accuracy: float

    def average(self, kind: str = "macro") -> tuple[float, float, float]:
        """Return precision, recall and F1, averaged over classes: "macro", or "weighted"."""
        w = None if kind == "macro" else self.support
        p, r, f = (
            float(np.average(column, weights=w))
            for column in (self.precision, self.recall, self.f1)
        )
        return p, r, f

    def _parts(self) -> list[Table | str]:
        total = int(self.support.sum())

        def row(name: str, numbers: tuple[float, ...], count: int) -> tuple[str, ...]:
            p, r, f = numbers
            return name, f"{p:>9.3f}", f"{r:>6.3f}", f"{f:>6.3f}", f"{count:>8}"

        columns = zip(self.precision, self.recall, self.f1, strict=True)
        rows = [
            row(name, numbers, int(count))
            for name, numbers, count in zip(self.classes, columns, self.support, strict=True)
        ]
        rows += [
            (),
            row("mean", self.average("macro"), total),
            row("weighted mean", self.average("weighted"), total),
            ("accuracy", "", "", f"{self.accuracy:>6.3f}", f"{total:>8}"),
        ]
        return [Table(("", "precision", "recall", "f1", "examples"), rows)]
