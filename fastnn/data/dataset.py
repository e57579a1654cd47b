"""A data set: examples, their labels, the names of the classes and a name of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ._check import same_length


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples and labels as a file holds them; unpacks as `X, y = dataset`.

    Parameters
    ----------
    X : ndarray, (m, …)
        The examples as stored: images (m, h, w, 3) or (m, h, w), or a table (m, n).
    y : ndarray, (m,)
        One label per example.
    classes : tuple of str
        The names of the classes, in the order of their labels.
    name : str
        What the data set is called.

    Raises
    ------
    ShapeError
        If X and y differ in length.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        same_length(self.X, self.y)

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
