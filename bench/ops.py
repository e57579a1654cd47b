"""Ops to be timed: every row of the table at a useful size, with its check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from fastnn.kernels.op_registry import TABLE, Row, Sample

from fastnn import kernels

from .agreement import agree

DTYPES = ("float32", "float64")
MATRIX = (256, 128, 64)  # m, n_in, n_out: a batch and a middling layer
VECTOR = 100_000  # parameters: what an optimiser's sweep goes over
SMALL_MATRIX, SMALL_VECTOR = (27, 13, 6), 1000  # where nothing is timed: loops take milliseconds


@dataclass(frozen=True)
class Op:
    """A row of the table at a size and dtype, its matrices in an order of memory."""

    row: Row
    dtype: str
    m: int
    n_in: int = 1
    n_out: int = 1
    order: Literal["C", "F"] = "C"

    @property
    def name(self) -> str:
        """The op, its size, its dtype, and the order if it is not NumPy's own."""
        flat = all(np.ndim(a) <= 1 for a in self.row.arguments(Sample()))
        size = f"{self.m}" if flat else f"{self.m}×{self.n_in}→{self.n_out}"
        return f"{self.row.name} {size} {self.dtype}" + (" F" if self.order == "F" else "")

    def __str__(self) -> str:
        return self.name

    def small(self) -> Op:
        """Return the op at a small size."""
        return _sized(self.row, self.dtype, SMALL_MATRIX, SMALL_VECTOR)

    def arguments(self) -> tuple[Any, ...]:
        """Return fresh arguments, the same at every call."""
        drawn = self.row.arguments(Sample(self.m, self.n_in, self.n_out, self.dtype))
        return tuple(
            np.asarray(a, order=self.order) if isinstance(a, np.ndarray) else a for a in drawn
        )

    def call(self, backend: str) -> Callable[[], Any]:
        """Return the op on that backend, bound to its own arguments."""
        function, arguments = self.row.function(kernels.get(backend)), self.arguments()
        return lambda: function(*arguments)

    def results(self, backend: str) -> list[Any]:
        """Return what one call returns and writes."""
        arguments = self.arguments()
        value = self.row.function(kernels.get(backend))(*arguments)
        return [arguments[i] for i in self.row.outputs] + ([] if value is None else [value])

    def check(self, backend: str) -> None:
        """Check the backend's results, on the arguments that are timed, against the loops'."""
        if backend != "loops":
            agree(self.name, self.dtype, self.results(backend), _expected(self))


@cache
def _expected(op: Op) -> list[Any]:
    """What the loops make of an op's arguments."""
    return op.results("loops")


def _sized(row: Row, dtype: str, matrix: tuple[int, int, int] = MATRIX, vector: int = VECTOR) -> Op:
    """Give a row its size: vectors are longer than matrices are high."""
    vectors = all(np.ndim(a) <= 1 for a in row.arguments(Sample()))
    return Op(row, dtype, vector) if vectors else Op(row, dtype, *matrix)


def _dtypes(row: Row) -> tuple[str, ...]:
    """The dtypes in which a row differs: ops on whole numbers know one."""
    arrays = [a for a in row.arguments(Sample()) if isinstance(a, np.ndarray)]
    return DTYPES if any(a.dtype.kind == "f" for a in arrays) else DTYPES[-1:]


OPS = tuple(_sized(row, dtype) for row in TABLE for dtype in _dtypes(row))
