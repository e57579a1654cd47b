"""Numbers: an array of them from whatever holds them, or one sentence on what is in the way.

Libraries whose objects cannot always be converted (PyTorch, h5py, pandas, Arrow, ml_dtypes) are
known by name and never imported.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from fastnn.errors import DataError
from fastnn.kernels.opcodes import READ

Array = np.ndarray[Any, Any]
#: What an error about missing values advises.
MISSING_HINT = "drop those rows or fill in the missing values"


def array(value: Any, name: str) -> Array:
    """Return any array-like as an array, of numbers or not; nothing is copied where it is one.

    Raises
    ------
    DataError
        If it is none, or cannot be converted as it is.
    """
    if type(value) is np.ndarray:
        return value
    if value is None:
        raise DataError(f"{name} must hold real numbers, got None")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(f"{name} has masked entries; fill them in or drop their rows")
    if hasattr(value, "toarray"):
        raise DataError(f"{name} is sparse; give {name}.toarray(), or train one of the estimators")
    value = numpy_convertible(value, name)
    if not isinstance(value, list | tuple | numbers.Number):
        from .iterables import check_no_iterable  # only what is no array and no list needs it

        check_no_iterable(value, name)
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # whatever another library's object raises
        if isinstance(error, ValueError) and "inhomogeneous" in str(error):
            words = f"{name} has rows of different lengths; each needs as many"
        else:
            what = " ".join(str(error).split())
            words = f"{name} of type {type(value).__name__} cannot be made an array: {what:.200}"
        raise DataError(words) from error


def numpy_convertible(value: Any, name: str, *libraries: str) -> Any:
    """Return what NumPy can convert, of an object of one of the libraries, by default all known.

    An object of another library is returned as it is.

    Raises
    ------
    DataError
        If NumPy could not convert it as it is.
    """
    for kind in type(value).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in (libraries or CONVERTERS):
            return CONVERTERS[library](value, name)
    return value


def numeric(value: Any, name: str) -> Array:
    """Return an array of real numbers (bool becomes uint8); nothing is copied where it is one.

    Numbers of ml_dtypes (bfloat16, float8, int4) are widened to float32, which holds them all.

    Raises
    ------
    DataError
        If it holds anything else; the message names the first such entry.
    """
    found = array(value, name)
    if found.dtype.type.__module__ == "ml_dtypes":
        return found.astype(np.float32)
    if found.dtype == bool:
        return found.view(np.uint8)
    if found.dtype.kind in "iuf":
        return found
    if found.dtype.kind == "O":
        raise DataError(f"{name} must hold real numbers, {_first_other(found, value, name)}")
    hint = {
        "c": "take real and imaginary parts as features of their own",
        "V": "give its fields as columns, numpy.lib.recfunctions.structured_to_unstructured",
        "M": "subtract a date and divide by a time, as in (X - start) / np.timedelta64(1, 's')",
        "m": f"divide it by a time, as in {name} / np.timedelta64(1, 's')",
    }.get(found.dtype.kind, _text_advice(name))
    raise DataError(f"{name} must hold real numbers, got dtype {found.dtype}; {hint}")


def _text_advice(name: str) -> str:
    """Return what to do with text, which is labels in y and a feature elsewhere."""
    if name.startswith("y"):
        return (
            "turn text labels into 0 … K−1 by np.unique(y, return_inverse=True)[1], or train "
            "fastnn.MLPClassifier, which takes any labels"
        )
    return "turn text into numbers first, each word a column of 0 and 1 (pandas.get_dummies)"


def _first_other(found: Array, value: Any, name: str) -> str:
    """Return what the first entry is, in an array of objects, that is no real number."""
    if found.ndim == 0:
        return f"got one {type(value).__name__}; give an array, or a list with one entry a row"
    for place, entry in np.ndenumerate(found):
        if isinstance(entry, numbers.Real | np.bool_):
            continue
        where = f"row {place[0]}" if place else "it"
        columns = getattr(value, "column_names", getattr(value, "columns", None))
        if len(place) == 2 and columns is not None and not callable(columns):
            where += f", column {_label(columns, place[1])}"
        if entry is None or type(entry).__name__ in ("NAType", "NaTType", "MaskedConstant"):
            return f"but {where} has no value; {MISSING_HINT}"
        if isinstance(entry, str | bytes):
            return f"got text, {entry!r:.40} in {where}; {_text_advice(name)}"
        return f"got {type(entry).__name__} in {where}; convert it to numbers first"
    return f"got dtype object; all entries are numbers, so give {name}.astype(float)"


def _label(columns: Any, place: int) -> str:
    """Return the name of a column of a frame or a table."""
    label = columns[place]
    return repr(label) if isinstance(label, str) else str(label)


def _from_torch(value: Any, name: str) -> Any:
    """Return a tensor that NumPy can read; bfloat16 and float8 are widened to float32."""
    if not hasattr(value, "detach"):
        return value
    if value.is_meta:
        raise DataError(f"{name} is a meta tensor, which has a shape and no numbers")
    if value.device.type != "cpu":
        raise DataError(f"{name} lies on device {value.device}; give {name}.cpu()")
    if value.requires_grad:
        raise DataError(
            f"{name} is a tensor that requires grad, and no gradient flows back from here; give "
            f"{name}.detach()"
        )
    if str(value.layout) != "torch.strided":
        raise DataError(f"{name} is sparse; give {name}.to_dense()")
    if value.is_quantized:
        raise DataError(f"{name} is quantized; give {name}.dequantize()")
    narrow = value.is_floating_point() and value.element_size() < 4
    return value.float() if narrow and str(value.dtype) != "torch.float16" else value


def _from_h5py(value: Any, name: str) -> Any:
    """Return a data set that can be read."""
    if type(value).__name__ == "Empty" or (value and getattr(value, "shape", ()) is None):
        raise DataError(f"{name} is an empty HDF5 value, without shape and numbers")
    if not value:
        raise DataError(
            f"{name} belongs to an HDF5 file that is closed; open it again, or read {name}[...] "
            "before it is closed"
        )
    if hasattr(value, "keys"):
        names = ", ".join(map(repr, list(value)[:5])) or "none"
        raise DataError(f"{name} is an HDF5 group; give one of its data sets, here {names}")
    return value


def _from_pandas(value: Any, name: str) -> Any:
    """Return a frame or series with nullable or Arrow numbers, or of numbers and bools, as array.

    NumPy alone would make an array of objects of it. Whatever else it holds is left to NumPy.
    """
    kinds = getattr(value, "dtypes", None)
    if kinds is None or not hasattr(value, "to_numpy"):
        return value
    frame = hasattr(value, "columns")
    kinds = list(kinds) if frame else [kinds]
    if not kinds or any(getattr(kind, "kind", "O") not in tuple("biuf") for kind in kinds):
        return value
    if all(isinstance(kind, np.dtype) and kind.kind != "b" for kind in kinds):
        return value
    missing = value.isna().to_numpy()
    if missing.any():
        place = np.argwhere(missing)[0]
        where = f", column {_label(value.columns, place[1])}" if frame else ""
        raise DataError(f"{name} has no value in row {place[0]}{where}; {MISSING_HINT}")
    plain = [getattr(kind, "numpy_dtype", getattr(kind, "subtype", kind)) for kind in kinds]
    return value.to_numpy(dtype=np.result_type(*plain))


CONVERTERS = {"torch": _from_torch, "h5py": _from_h5py, "pandas": _from_pandas}


def all_finite(array: Array) -> bool:
    """Return whether all numbers are finite; False also where only their sum is not.

    As float64 NumPy adds numbers of float32 four times as slowly as it finds the extreme ones.
    """
    if array.dtype == np.float32:
        return math.isfinite(array.min()) and math.isfinite(array.max())  # NaN comes through both
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(array.sum(dtype=np.float64)))


def check_finite(array: Array, name: str) -> None:
    """Refuse NaN and infinity, and say which row holds the first."""
    if array.dtype.kind != "f" or array.size == 0 or all_finite(array):
        return
    wrong = ~np.isfinite(array).reshape(len(array), -1)
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        value = array.reshape(len(array), -1)[row][wrong[row]][0]
        n_rows = int(wrong.any(axis=1).sum())
        raise DataError(f"{name} holds {value} in row {row} ({n_rows} such rows); {MISSING_HINT}")


def kernel_readable(X: Array) -> Array:
    """Return X as kernels read it in place.

    Integers of any width, float16, float32 and float64 are; what is of the other byte order, not
    aligned, or longer than float64 is converted whole.
    """
    if X.dtype in READ and X.flags.aligned:
        return X
    native = X.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):  # which the check then finds
        return X.astype(native if native in READ else np.float64)


def check_representable(X: Array, dtype: np.dtype[Any], name: str = "X") -> None:
    """Refuse numbers that become infinite in the network's dtype."""
    if X.dtype.kind != "f" or X.dtype.itemsize <= dtype.itemsize or X.size == 0:
        return
    largest = max(float(X.max()), -float(X.min()))
    if largest > float(np.finfo(dtype).max):
        raise DataError(
            f"{name} holds numbers up to {largest:.3g}, too large for {dtype}; scale them down, or "
            "give dtype='float64'"
        )


def is_decimal(value: Any) -> bool:
    """Return whether a value is a Decimal, which is no `numbers.Real`."""
    from decimal import Decimal  # only what is no other number needs it

    return isinstance(value, Decimal)
