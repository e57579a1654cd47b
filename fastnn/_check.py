"""What may come in: every rule about arguments and data, and the sentence that states it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import DataError, SettingError, ShapeError
from .kernels.opcodes import READ
from .kernels.sparse import SparseRows

Array = np.ndarray[Any, Any]
MOST = float(np.finfo(np.float64).max)  # beyond it lie infinity and very long whole numbers


def flag(value: Any, name: str) -> bool:
    """Return True or False."""
    if not isinstance(value, bool | np.bool_):
        raise SettingError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def several(value: Any, name: str, example: str) -> list[Any]:
    """Return the entries of a list or the like."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SettingError(f"{name} must be a list like {example}, got {value!r}")
    return list(value)


def callables(value: Any, name: str) -> tuple[Any, ...]:
    """Return functions."""
    functions = several(value, name, "[fastnn.callbacks.EarlyStopping()]")
    for function in functions:
        if not callable(function):
            raise SettingError(f"{name} must be functions of (network, history), got {function!r}")
    return tuple(functions)


def count(value: Any, name: str, *, least: int = 0) -> int:
    """Return a whole number that is at least `least` and below 2³¹."""
    if isinstance(value, numbers.Integral) and int(value) >= 2**31:
        raise SettingError(f"{name} must be below 2**31, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise SettingError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def real(value: Any, name: str, *, above: float | None = None, least: float | None = None) -> float:
    """Return a finite number, above or at least a bound."""
    rule = "a finite number"
    if above is not None:
        rule += f" greater than {above:g}"
    if least is not None:
        rule += f" of at least {least:g}"
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    good = good and -MOST <= value <= MOST
    good = good and (above is None or value > above) and (least is None or value >= least)
    if not good:
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return float(value)


def share(value: Any, name: str) -> float:
    """Return a number in [0, 1)."""
    if real(value, name) < 0 or value >= 1:
        raise SettingError(f"{name} must lie in [0, 1), got {value!r}")
    return float(value)


def seed(value: Any) -> int:
    """Return a seed: a whole number below 2³², half of the key of the random generator."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**32:
        raise SettingError(f"seed must be a whole number from 0 and below 2**32, got {value!r}")
    return int(value)


def dtype(value: Any) -> np.dtype[Any]:
    """Return float32 or float64."""
    known: list[np.dtype[Any]] = [np.dtype("float32"), np.dtype("float64")]
    try:
        return known[known.index(np.dtype(value))]
    except (TypeError, ValueError):
        raise SettingError(f"dtype must be 'float32' or 'float64', got {value!r}") from None


def numeric(value: Any, name: str) -> Array:
    """Return an array of real numbers (bool becomes uint8); nothing is copied where it is one."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(f"{name} has masked entries; fill them in or drop their rows")
    if value is None:
        raise DataError(f"{name} must hold real numbers, got None")
    if hasattr(value, "toarray"):
        raise DataError(f"{name} is sparse; give {name}.toarray(), or train one of the estimators")
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"{name} has rows of different lengths; each needs as many") from None
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype.kind not in "iuf":
        hint = {
            "c": "take real and imaginary parts as features of their own",
            "O": "make all entries numbers, a pandas frame with frame.to_numpy(float)",
            "U": "turn text into numbers first, labels by np.unique(y, return_inverse=True)",
        }.get(array.dtype.kind, "convert it to numbers first")
        raise DataError(f"{name} must hold real numbers, got dtype {array.dtype}; {hint}")
    return array


def _all_finite(array: Array) -> bool:
    """Tell that all numbers are finite; False: some are not, or their sum is not.

    As float64 NumPy adds numbers of float32 four times as slowly as it finds the extreme ones.
    """
    if array.dtype == np.float32:
        return math.isfinite(array.min()) and math.isfinite(array.max())  # NaN comes through both
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(array.sum(dtype=np.float64)))


def finite(array: Array, name: str) -> None:
    """Refuse NaN and infinity, and say which row holds the first."""
    if array.dtype.kind != "f" or array.size == 0 or _all_finite(array):
        return
    wrong = ~np.isfinite(array).reshape(len(array), -1)
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        value = array.reshape(len(array), -1)[row][wrong[row]][0]
        raise DataError(
            f"{name} holds {value} in row {row} ({int(wrong.any(axis=1).sum())} such rows); "
            "drop those rows or fill in the missing values"
        )


def is_row(X: Any, n_in: int) -> bool:
    """Tell whether X is a single row (1, n_in) of a dtype that is read in place."""
    return type(X) is np.ndarray and X.shape == (1, n_in) and X.dtype in READ


def rows(value: Any, n_in: int | None, layer: str = "the network", name: str = "X") -> Any:
    """Return X (m, n_in): real, not empty, of the number of features that is expected."""
    X = value if isinstance(value, SparseRows) else numeric(value, name)
    if X.ndim != 2:
        hint = f"reshape a single example to (1, {X.size})" if X.ndim == 1 else "give one row each"
        if X.ndim in (3, 4):
            hint = "turn images into rows with fastnn.data.flatten_images"
        raise ShapeError(f"{name} must be 2-D, one example a row; got shape {X.shape}; {hint}")
    if 0 in X.shape:
        raise ShapeError(f"{name} is empty, shape {X.shape}; at least one example is needed")
    if n_in is not None and X.shape[1] != n_in:
        hint = "is the batch transposed?" if X.shape[0] == n_in else "is it other data?"
        raise ShapeError(f"{layer} expects inputs of shape (m, {n_in}), got {X.shape}; {hint}")
    return X if isinstance(X, SparseRows) else readable(X)


def features(value: Any, n_in: int | None, layer: str = "the network", name: str = "X") -> Any:
    """Return X (m, n_in) as `rows` does, all of whose numbers are finite."""
    X = rows(value, n_in, layer, name)
    if not isinstance(X, SparseRows):  # of finite floats, which its maker has checked
        finite(X, name)
    return X


def readable(X: Array) -> Array:
    """Return X as kernels read it in place.

    Integers of any width, float16, float32 and float64 are; what is of the other byte order, not
    aligned, or longer than float64 is converted whole.
    """
    if X.dtype in READ and X.flags.aligned:
        return X
    native = X.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):  # which the check then finds
        return X.astype(native if native in READ else np.float64)


def representable(X: Array, dtype: np.dtype[Any], name: str = "X") -> None:
    """Refuse numbers that become infinite in the network's dtype."""
    if X.dtype.kind != "f" or X.dtype.itemsize <= dtype.itemsize or X.size == 0:
        return
    largest = max(float(X.max()), -float(X.min()))
    if largest > float(np.finfo(dtype).max):
        raise DataError(
            f"{name} holds numbers up to {largest:.3g}, too large for {dtype}; scale them down, or "
            "give dtype='float64'"
        )


def same_length(X: Array, y: Array, name: str = "y") -> None:
    """Refuse labels that are not one for each example."""
    if len(X) != len(y):
        raise ShapeError(
            f"X has {len(X)} rows but {name} has {len(y)}; every example needs one entry"
        )


def column(value: Any, m: int, K: int, name: str = "y") -> Array:
    """Return y as (m, K): (m,) and (m, 1) become one column."""
    y = numeric(value, name)
    if y.ndim == 0 or y.ndim > 2:
        raise ShapeError(f"{name} must have shape (m,) or (m, {K}), got {y.shape}")
    if y.ndim == 2 and y.shape[0] == 1 and y.shape[1] == m != 1:
        raise ShapeError(f"{name} must have one row an example, got {y.shape}; transpose it")
    if len(y) != m:
        raise ShapeError(f"X has {m} rows but {name} has {len(y)}; every example needs one entry")
    y = y.reshape(m, -1)
    finite(y, name)
    return y


def _row_of(wrong: Array) -> int:
    """Return the first row (of (m, K)) that holds a True."""
    return int(wrong.any(axis=1).argmax())


def binary(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of 0 and 1, or of probabilities of 1, for sigmoid outputs."""
    y = column(value, m, K)
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


def classes(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) for a softmax output: labels 0 … K−1 become one-hot rows."""
    y = column(value, m, K)
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


def targets(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of real numbers."""
    y = column(value, m, K)
    if y.shape[1] != K:
        raise ShapeError(f"y must have shape (m, {K}) for {K} outputs, got {y.shape}")
    return y


def counts(value: Any, m: int, K: int) -> Array:
    """Return y (m, K) of numbers that are not negative."""
    y = targets(value, m, K)
    if (y < 0).any():
        row = _row_of(y < 0)
        raise DataError(f"counts must not be negative, but y[{row}] is {y[row][y[row] < 0][0]}")
    return y


def sample_weight(value: Any, m: int) -> Array:
    """Return the weights of the examples (m,), not negative, not all zero."""
    w = numeric(value, "sample_weight").astype(np.float64)
    if w.shape != (m,):
        raise ShapeError(f"sample_weight must have shape ({m},), one for each row; got {w.shape}")
    finite(w, "sample_weight")
    if (w < 0).any():
        row = int((w < 0).argmax())
        raise DataError(f"sample_weight must not be negative, but entry {row} is {w[row]:g}")
    if not w.any():
        raise DataError("sample_weight is zero for every example; at least one must count")
    return w


def instance(value: Any, kinds: Any, name: str, example: str) -> Any:
    """Return an object of one of these classes."""
    if not isinstance(value, kinds):
        raise SettingError(f"{name} must be an object like {example}, got {value!r}")
    return value
