"""Examples: the rules for rows X, targets y and weights, and the sentences that state them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.errors import DataError, ShapeError
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.opcodes import READ

from .arrays import check_finite, kernel_readable, numeric

Array = np.ndarray[Any, Any]


def are_plain_rows(X: Any, n_in: int) -> bool:
    """Return whether X is an array (m, n_in), m > 0, of a dtype that is read in place."""
    if type(X) is not np.ndarray or X.dtype not in READ:
        return False
    shape = X.shape
    return len(shape) == 2 and shape[1] == n_in and shape[0] > 0


def examples(value: Any, n_in: int | None, layer: str = "the network", name: str = "X") -> Any:
    """Return X (m, n_in): real, not empty, of the number of features that is expected."""
    X = value if isinstance(value, SparseRows) else numeric(value, name)
    check_shape(X.shape, n_in, layer, name)
    return X if isinstance(X, SparseRows) else kernel_readable(X)


def check_shape(
    shape: tuple[int, ...], n_in: int | None, layer: str = "the network", name: str = "X"
) -> None:
    """Refuse a shape that is not (m, n) of at least one row, or has not n_in features."""
    if len(shape) != 2:
        hint = f"reshape a single example to (1, {shape[0]})" if len(shape) == 1 else ""
        if len(shape) in (3, 4):
            hint = "turn images into rows with fastnn.data.flatten_images"
        raise ShapeError(
            f"{name} must be 2-D, one example a row; got shape {shape}; "
            f"{hint or 'give one row each'}"
        )
    if 0 in shape:
        raise ShapeError(f"{name} is empty, shape {shape}; at least one example is needed")
    if n_in is not None and shape[1] != n_in:
        hint = "is the batch transposed?" if shape[0] == n_in else "is it other data?"
        raise ShapeError(f"{layer} expects inputs of shape (m, {n_in}), got {shape}; {hint}")


def finite_examples(
    value: Any, n_in: int | None, layer: str = "the network", name: str = "X"
) -> Any:
    """Return X (m, n_in) as `examples` does, all of whose numbers are finite."""
    X = examples(value, n_in, layer, name)
    if not isinstance(X, SparseRows):  # of finite floats, which its maker has checked
        check_finite(X, name)
    return X


def check_same_length(X: Array, y: Array, name: str = "y") -> int:
    """Return m, the number of rows that X (m, …) and y (m, …) must have in common."""
    for called, array in (("X", X), (name, y)):
        if array.ndim == 0:
            raise ShapeError(
                f"{called} must have one row per example, got the single value {array}"
            )
    if len(X) != len(y):
        message = f"X has {len(X)} rows but {name} has {len(y)}; every example needs one label"
        if y.shape == (1, len(X)):
            message += f": {name} of shape {y.shape} is a row, pass {name}.ravel()"
        elif X.ndim == 2 and X.shape[1] == len(y):
            message += f": X of shape {X.shape} holds its examples in columns, pass X.T"
        raise ShapeError(message)
    return len(X)


def _target_columns(value: Any, m: int, K: int, name: str = "y") -> Array:
    """Return y as (m, K): (m,) and (m, 1) become one column."""
    y = numeric(value, name)
    if y.ndim == 0 or y.ndim > 2:
        raise ShapeError(f"{name} must have shape (m,) or (m, {K}), got {y.shape}")
    if y.ndim == 2 and y.shape[0] == 1 and y.shape[1] == m != 1:
        raise ShapeError(f"{name} must have one row an example, got {y.shape}; transpose it")
    if len(y) != m:
        raise ShapeError(f"X has {m} rows but {name} has {len(y)}; every example needs one entry")
    y = y.reshape(m, -1)
    check_finite(y, name)
    return y


def _row_of(wrong: Array) -> int:
    """Return the first row (of (m, K)) that holds a True."""
    return int(wrong.any(axis=1).argmax())


def binary_targets(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of 0 and 1, or of probabilities of 1, for sigmoid outputs."""
    y = _target_columns(value, m, K)
    if y.shape[1] != K:
        raise ShapeError(f"y must have shape (m, {K}) for {K} sigmoid outputs, got {y.shape}")
    wrong = (y < 0) | (y > 1)
    if wrong.any():
        row = _row_of(wrong)
        raise DataError(
            f"labels must be 0 or 1 (or probabilities) for a sigmoid output, but y[{row}] is "
            f"{y[row][wrong[row]][0]}; recode them, or use a softmax output for more classes"
        )
    return y


def class_targets(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) for a softmax output: labels 0 … K−1 become one-hot rows."""
    y = _target_columns(value, m, K)
    if y.shape[1] == K:
        wrong = (y < 0) | (np.abs(y.sum(axis=1, keepdims=True) - 1) > 1e-3)
        if wrong.any():
            row = _row_of(wrong)
            raise DataError(
                f"rows of y must be one-hot or probabilities that add up to 1, but row {row} is "
                f"{y[row]}"
            )
        return y
    if y.shape[1] != 1:
        raise ShapeError(f"y must hold labels (m,) or have shape (m, {K}), got {y.shape}")
    wrong = (y < 0) | (y >= K) | (y != np.floor(y))
    if wrong.any():
        row = _row_of(wrong)
        hint = "give y - 1" if (y.min(), y.max()) == (1, K) else "recode the labels"
        raise DataError(
            f"labels must be whole numbers 0 … {K - 1} for a softmax output of {K} units, but "
            f"y[{row}] is {y[row, 0]}; {hint} or change the number of units"
        )
    hot = np.zeros((m, K), dtype=np.uint8)
    hot[np.arange(m), y[:, 0].astype(np.int64)] = 1
    return hot


def real_targets(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of real numbers."""
    y = _target_columns(value, m, K)
    if y.shape[1] != K:
        raise ShapeError(f"y must have shape (m, {K}) for {K} outputs, got {y.shape}")
    return y


def count_targets(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of numbers that are not negative."""
    y = real_targets(value, m, K)
    if (y < 0).any():
        row = _row_of(y < 0)
        raise DataError(f"counts must not be negative, but y[{row}] is {y[row][y[row] < 0][0]}")
    return y


def positive_targets(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of numbers above 0."""
    y = real_targets(value, m, K)
    if (y <= 0).any():
        row = _row_of(y <= 0)
        raise DataError(
            f"y must be positive for this loss, but y[{row}] is {y[row][y[row] <= 0][0]}"
        )
    return y


def sample_weight(value: Any, m: int) -> Array:
    """Return the weights of the examples (m,), not negative, not all zero."""
    w = numeric(value, "sample_weight").astype(np.float64)
    if w.shape != (m,):
        raise ShapeError(f"sample_weight must have shape ({m},), one for each row; got {w.shape}")
    check_finite(w, "sample_weight")
    if (w < 0).any():
        row = int((w < 0).argmax())
        raise DataError(f"sample_weight must not be negative, but entry {row} is {w[row]:g}")
    if not w.any():
        raise DataError("sample_weight is zero for every example; at least one must count")
    return w
