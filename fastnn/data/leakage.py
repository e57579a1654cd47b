"""Leakage: examples of one part of the data that occur in another part, too."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._validation import arguments
from fastnn.errors import SettingError, ShapeError

__all__ = ["LeakageWarning", "check_leakage"]

#: Rows that are brought to a common dtype at a time.
CHUNK_ROWS = 4096
PARTS = {2: ("train", "test"), 3: ("train", "dev", "test")}


class LeakageWarning(UserWarning):
    """The same example stands in two parts, so that a score of one of them flatters."""


def check_leakage(*parts: ArrayLike) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Warn of rows that are identical in two parts of the data, and return where they are.

    A network has seen the answer for such a row; its dev or test score says less than it seems.
    Rows are compared exactly, whatever the dtype that holds their numbers; one pass over each part,
    by hashes of the rows' bytes.

    Parameters
    ----------
    *parts : arrays (m, …)
        X_train and X_test, or X_train, X_dev and X_test, in this order.

    Returns
    -------
    dict of (str, str) to ndarray (k, 2)
        For each pair of parts that share rows, as ``("train", "test")``: the row in the first part
        (the first, if it stands there several times) and that in the second, for each row of the
        second that occurs in the first. Empty where nothing leaks.

    Warns
    -----
    LeakageWarning
        If any pair shares rows.

    Raises
    ------
    SettingError
        If there are not two or three parts.
    ShapeError, DataError
        If examples differ in shape, or are not numbers.

    Examples
    --------
    >>> check_leakage([[0, 1], [2, 3]], [[4, 5]])
    {}
    """
    if len(parts) not in PARTS:
        raise SettingError(f"give 2 or 3 parts: X_train, X_dev (if any), X_test; got {len(parts)}")
    names = PARTS[len(parts)]
    arrays = [arguments.numeric(part, f"X_{name}") for part, name in zip(parts, names, strict=True)]
    for array, name in zip(arrays, names, strict=True):
        if array.ndim < 2 or array.shape[1:] != arrays[0].shape[1:]:
            raise ShapeError(
                f"X_{name} has shape {array.shape} and X_train {arrays[0].shape}; both must be "
                "(m, …) with examples of one shape"
            )
    common = np.result_type(*arrays)
    first = [_first_rows(array, common) for array in arrays]
    found = {}
    for i in range(len(arrays)):
        for j in range(i + 1, len(arrays)):
            pairs = _equal_rows(first[i], arrays[i], arrays[j], common)
            if len(pairs):
                found[names[i], names[j]] = pairs
    if found:
        warnings.warn(_format_warning(found), LeakageWarning, stacklevel=2)
    return found


def _row_hashes(array: NDArray[Any], common: np.dtype[Any]) -> Iterator[int]:
    """Yield a hash of each row of (m, …), equal for rows with equal numbers."""
    for i in range(0, len(array), CHUNK_ROWS):
        block = array[i : i + CHUNK_ROWS].reshape(len(array[i : i + CHUNK_ROWS]), -1).astype(common)
        block += 0  # −0 becomes 0, which it equals
        for row in block:
            yield hash(row.tobytes())


def _first_rows(array: NDArray[Any], common: np.dtype[Any]) -> dict[int, int]:
    """Return the first row of each hash."""
    first: dict[int, int] = {}
    for row, key in enumerate(_row_hashes(array, common)):
        first.setdefault(key, row)
    return first


def _equal_rows(
    first: dict[int, int], one: NDArray[Any], other: NDArray[Any], common: np.dtype[Any]
) -> NDArray[np.int64]:
    """Return pairs (k, 2) of equal rows; equal hashes are looked at again."""
    pairs = [
        (first[key], row)
        for row, key in enumerate(_row_hashes(other, common))
        if key in first and np.array_equal(one[first[key]], other[row], equal_nan=True)
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _format_warning(found: dict[tuple[str, str], NDArray[np.int64]]) -> str:
    """Return the text of the warning about rows that stand in two parts."""
    parts = [
        f"{len(pairs)} row{'s' * (len(pairs) > 1)} of {b} also stand{'s' * (len(pairs) == 1)} in "
        f"{a} (row {pairs[0, 1]} of {b} is row {pairs[0, 0]} of {a})"
        for (a, b), pairs in found.items()
    ]
    return (
        "; ".join(parts) + ". A network has seen the answer for such a row: leave it out, or split "
        "with groups="
    )
