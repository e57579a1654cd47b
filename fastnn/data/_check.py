"""The checks that several data functions share: whole numbers, shares, lengths, paths."""

from __future__ import annotations

import errno
import math
import operator
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fastnn.errors import DataFileError, SettingError, ShapeError

MOST_COMPRESSION = 1032  # bytes that deflate makes out of one
SEED_LIMIT = 2**32  # NumPy's legacy generator takes seeds of 32 bits


def whole_number(name: str, value: object, *, least: int, below: int | None = None) -> int:
    """Return `value` as an int in [least, below), or say what `name` must be."""
    rule = f"a whole number of at least {least}" + (f" and below {below}" if below else "")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise SettingError(f"{name} must be {rule}, got {value!r}") from None
    if isinstance(value, bool) or number < least or (below is not None and number >= below):
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return number


def real_number(name: str, value: object, rule: str) -> float:
    """Return `value` as a finite float, or say that `name` must follow `rule`."""
    try:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise SettingError(f"{name} must be {rule}, got {value!r}") from None
    if not math.isfinite(number):
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return number


def same_length(X: NDArray[Any], y: NDArray[Any]) -> int:
    """Return m, the rows that X (m, …) and y (m, …) share."""
    for name, array in (("X", X), ("y", y)):
        if array.ndim == 0:
            raise ShapeError(f"{name} must have one row per example, got the single value {array}")
    if len(X) != len(y):
        message = f"X has {len(X)} rows but y has {len(y)}; every example needs one label"
        if y.shape == (1, len(X)):
            message += f": y of shape {y.shape} is a row, pass y.ravel()"
        elif X.ndim == 2 and X.shape[1] == len(y):
            message += f": X of shape {X.shape} holds its examples in columns, pass X.T"
        raise ShapeError(message)
    return len(X)


def is_of_the_system(error: Exception) -> bool:
    """Whether an error tells of the system (permissions, limits, disks), not of a file's contents.

    A damaged file can make a parser ask for impossible places, which the system refuses too.
    """
    impossible = (None, errno.EINVAL, errno.EFAULT, errno.EFBIG, errno.EOVERFLOW)
    return isinstance(error, OSError) and error.errno not in impossible


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path to a file that exists."""
    file = Path(path)
    if file.is_dir():
        raise DataFileError(f"'{file}' is a folder; pass the path of a file in it")
    if not file.exists():
        raise FileNotFoundError(
            f"there is no file '{file}'; a relative path starts from {Path.cwd()}"
        )
    if not file.is_file():
        raise DataFileError(f"'{file}' is a device or a pipe; pass the path of a plain file")
    return file
