"""The table of a classifier's precision, recall and F1, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class ClassReport:
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

    def __repr__(self) -> str:
        total = int(self.support.sum())
        wide = max(len("weighted mean"), *map(len, self.classes))
        lines = [f"{'':<{wide}}  precision  recall      f1  examples"]

        def line(name: str, numbers: tuple[float, ...], count: int) -> str:
            p, r, f = numbers
            return f"{name:<{wide}}  {p:>9.3f}  {r:>6.3f}  {f:>6.3f}  {count:>8}"

        columns = zip(self.precision, self.recall, self.f1, strict=True)
        for name, numbers, count in zip(self.classes, columns, self.support, strict=True):
            lines.append(line(name, numbers, int(count)))
        lines.append("")
        lines.append(line("mean", self.average("macro"), total))
        lines.append(line("weighted mean", self.average("weighted"), total))
        lines.append(f"{'accuracy':<{wide}}  {'':>9}  {'':>6}  {self.accuracy:>6.3f}  {total:>8}")
        return "\n".join(lines)
