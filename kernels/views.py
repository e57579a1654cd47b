"""Views of a program's flat vectors, by row of its op table; vectors that begin on a cache line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .custom_methods import traits_of
from .debug import DEBUG

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Array = np.ndarray[Any, Any]

ALIGNMENT = 64  # bytes: one cache line, and the widest vector register


def aligned_zeros(size: int, dtype: DTypeLike) -> Array:
    """Return a zeroed vector (size,) that begins on a cache line."""
    length = size * np.dtype(dtype).itemsize
    raw = np.zeros(length + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + length].view(dtype)


def aligned_scratch(size: int, dtype: DTypeLike) -> Array:
    """Return a vector (size,) that begins on a cache line, to be written before it is read.

    It holds zeros, which cost nothing until they are touched; NaN in debug mode.
    """
    vector = aligned_zeros(size, dtype)
    if DEBUG:
        vector.fill(np.nan)
    return vector


def weights(vector: Array, op: Any) -> Array:
    """Return W or dW (n_in, n_out) of a DENSE row, a view: the vector holds it as (n_out, n_in)."""
    size = int(op["n_in"] * op["n_out"])
    return vector[op["W"] : op["W"] + size].reshape(op["n_out"], op["n_in"]).T


def biases(vector: Array, op: Any) -> Array:
    """Return b or db (n_out,) of a DENSE row, a view; zeros of their own where it has no bias."""
    if op["b"] < 0:
        return np.zeros(op["n_out"], dtype=vector.dtype)
    return vector[op["b"] : op["b"] + op["n_out"]]


def scales(vector: Array, op: Any) -> tuple[Array, Array]:
    """Return γ and β, or dγ and dβ, of a BATCHNORM row, views of (n,) each."""
    n = op["n_out"]
    return vector[op["W"] : op["W"] + n], vector[op["b"] : op["b"] + n]


def statistics(state: Array, op: Any) -> tuple[Array, ...]:
    """Return shift, factor and the shift's rounding error of an INPUT row, views of (stats,)."""
    n, start = op["stats"], op["state"]
    return tuple(state[start + i * n : start + (i + 1) * n] for i in range(3))


def moments(state: Array, op: Any) -> tuple[Array, ...]:
    """Return running mean and variance, then the last batch's, of a BATCHNORM row, (n,) each."""
    n, start = op["n_out"], op["state"]
    return tuple(state[start + i * n : start + (i + 1) * n] for i in range(4))


def slots_for(method: int, size: int, dtype: DTypeLike) -> Array:
    """Return the zeroed memory of a method for `size` parameters: (slots, size)."""
    return np.zeros((traits_of(method).slots, size), dtype)
