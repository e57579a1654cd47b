"""What a study searches for: digests of data, of networks and of settings, to tell tasks apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn import row_sources
from fastnn._display.short_repr import stable_repr
from fastnn.errors import FastnnError
from fastnn.kernels.csr import SparseRows
from fastnn.network import Network
from fastnn.network.description import state_of

Array = np.ndarray[Any, Any]

#: Hexadecimal digits of a digest.
DIGEST_LENGTH = 16
#: Numbers that are hashed at a time.
CHUNK_SIZE = 2**20


def digest(*parts: Any) -> str:
    """Return a short digest of arrays by their shape and numbers, and of other things by repr.

    The dtype of numbers does not count: 1, 1.0 and True are one.
    """
    hasher = hashlib.sha256()
    for part in parts:
        _update(hasher, part)
    return hasher.hexdigest()[:DIGEST_LENGTH]


def _update(hasher: Any, part: Any) -> None:
    """Add one part to a digest."""
    if isinstance(part, SparseRows):
        part = [part.shape, part.data, part.indices, part.indptr]
    if isinstance(part, Mapping):
        part = [(name, part[name]) for name in sorted(part, key=repr)]
    if isinstance(part, tuple | list) and not _is_data(part):
        hasher.update(f"({len(part)}".encode())
        for inner in part:
            _update(hasher, inner)
    elif (source := _rows_outside(part)) is not None:
        _update_with_rows(hasher, source)
    elif _is_data(part):
        try:
            _update_with_numbers(hasher, np.asarray(part))
        except ValueError:  # rows of different lengths, which the fit will refuse
            hasher.update(stable_repr(part).encode(errors="backslashreplace"))
    elif (
        getattr(type(part), "__repr__", None) is object.__repr__
    ):  # callbacks, functions: of no name but the class's
        hasher.update(f"{type(part).__module__}.{type(part).__qualname__};".encode())
    else:
        hasher.update(f"{stable_repr(part)};".encode(errors="backslashreplace"))


def _rows_outside(part: Any) -> row_sources.RowSource | None:
    """Return rows that lie outside memory, as a fit reads them; what it refuses is none."""
    try:
        return None if isinstance(part, str | tuple | list) else row_sources.find(part)
    except FastnnError:
        return None


def _is_data(part: Any) -> bool:
    """Whether something is an array, a table, or a list of numbers or of rows of them."""
    if isinstance(part, tuple | list):
        return len(part) > 0 and isinstance(part[0], int | float | np.generic | list)
    return isinstance(part, np.ndarray) or hasattr(part, "__array__")


def _update_with_numbers(hasher: Any, array: Array) -> None:
    """Add shape and numbers of an array to a digest, some rows at a time."""
    hasher.update(f"{array.shape}".encode())
    if array.dtype.kind not in "biuf":
        hasher.update(stable_repr(array.tolist()).encode(errors="backslashreplace"))
        return
    rows = array.reshape(array.shape[0] if array.ndim else 1, -1)
    step = max(1, CHUNK_SIZE // max(rows.shape[1], 1))
    for i in range(0, len(rows), step):
        _update_with_block(hasher, rows[i : i + step])


def _update_with_rows(hasher: Any, source: row_sources.RowSource) -> None:
    """Add what an array of these rows would add."""
    m, n = source.shape
    hasher.update(f"{(m, n)}".encode())
    step = max(1, CHUNK_SIZE // n)
    block = np.empty((min(step, m), n), source.dtype)
    with source:
        for i in range(0, m, step):
            rows = block[: min(step, m - i)]
            source.read(i, i + len(rows), rows)
            _update_with_block(hasher, rows)


def _update_with_block(hasher: Any, rows: Array) -> None:
    """Add the numbers of some rows; −0 and 0 are one number."""
    hasher.update(np.ascontiguousarray(rows.astype(np.float64) + 0.0).tobytes())


def digest_network(network: Network, settings: Mapping[str, Any]) -> str:
    """Return a digest of a network as it was made, its weights included, and of its fit."""
    weights = None if network.inputs is None else network.program.theta
    made = stable_repr(network), network.seed, stable_repr(state_of(network).init), weights
    return digest(made, dict(settings))
