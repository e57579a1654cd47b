"""A data set: examples, their labels, the names of the classes and a name of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._display.report import to_html
from fastnn._display.table import Table
from fastnn._validation import arguments

from .labels import class_labels

#: Classes that a notebook lists at most.
MAX_CLASSES = 20


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples and their labels; unpacks as `X, y = dataset`.

    `classes[y[i]]` is the name of example i: every label is a whole number with
    0 ≤ y < len(classes), whatever the data set was made from.

    Parameters
    ----------
    X : array_like, (m, …)
        The examples as stored: images (m, h, w, 3) or (m, h, w), or a table (m, n).
    y : array_like, (m,)
        One label per example, kept as int64; whole floats and bool are taken.
    classes : sequence of str
        The names of the classes, in the order of their labels; kept as a tuple.
    name : str
        What the data set is called.

    Raises
    ------
    ShapeError
        If X and y differ in length, or y has another shape than (m,).
    DataError
        If a label is not whole, negative or not below the number of classes.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        X, y, classes = np.asarray(self.X), np.asarray(self.y), tuple(self.classes)
        arguments.check_same_length(X, y)
        own = {"X": X, "y": class_labels(y, len(classes)), "classes": classes}
        for name, value in own.items():
            object.__setattr__(self, name, value)  # the class is frozen

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.X, self.y))

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        X, y = self.X, self.y
        return (
            f"Dataset({self.name!r}, X {X.shape} {X.dtype}, y {y.shape} {y.dtype}, "
            f"{len(self.classes)} classes)"
        )

    def _repr_html_(self) -> str:
        arrays = [
            (name, str(array.shape), str(array.dtype))
            for name, array in (("X", self.X), ("y", self.y))
        ]
        counts = np.bincount(self.y, minlength=len(self.classes))
        rows = [
            (str(label), name, f"{count:,}", f"{count / max(len(self.y), 1):.1%}")
            for label, (name, count) in enumerate(zip(self.classes, counts, strict=True))
        ]
        more = len(rows) - MAX_CLASSES
        return to_html(
            [
                f"Dataset {self.name!r}",
                Table(("array", "shape", "dtype"), arrays, align="lll"),
                Table(("label", "class", "examples", "share"), rows[:MAX_CLASSES], align="rlrr"),
                f"and {more} more classes" if more > 0 else "",
            ]
        )
