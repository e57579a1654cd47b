"""Labels read by what they are, numbers or text, whatever list, array or column holds them."""

from __future__ import annotations

import numbers
from contextlib import suppress
from typing import Any

import numpy as np

from fastnn.errors import DataError, ShapeError

from .arrays import is_decimal

Array = np.ndarray[Any, Any]
#: The kinds of labels by the kind of their dtype.
KIND_BY_DTYPE = dict.fromkeys("biuf", "numbers") | {"U": "text", "S": "bytes", "M": "dates"}
#: The names of the classes of missing labels, of pandas too, which need not be installed.
MISSING = "NoneType", "NAType", "NaTType"


def read_labels(given: Any, name: str) -> Array:
    """Return labels as an array of the same shape, in a dtype that tells their `label_kind`.

    Objects become numbers, text or bytes where all are, so a pandas column of strings, of
    categories or of nullable integers, an Arrow array and a list give equal labels equal arrays.

    Raises
    ------
    ShapeError
        If rows differ in length.
    DataError
        If a label is missing, is a number that is not whole, or of another kind than the others.
    """
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise DataError(f"{name} has masked entries; drop their rows")
    if hasattr(given, "toarray"):
        raise DataError(f"{name} is sparse; give {name}.toarray()")
    try:
        array = np.asarray(given)
        if array.dtype.kind in "UST" and array is not given:
            # NumPy makes text of all entries of a list where one is text.
            array = np.asarray(given, dtype=object)
    except ValueError:
        raise ShapeError(f"{name} has rows of different lengths; each needs as many") from None
    if array.dtype.kind == "T":
        array = array.astype(object)
    if array.dtype.kind == "O":
        array = _read_objects(array, name)
    if array.dtype.kind not in KIND_BY_DTYPE and array.dtype.kind != "O":
        raise DataError(f"{name} has dtype {array.dtype}, which holds no labels")
    if array.dtype.kind == "f":
        _check_whole(array, name)
    if array.dtype.kind == "M" and np.isnat(array).any():
        raise DataError(f"{name} has missing labels (NaT); drop their rows")
    return array


def label_kind(labels: Array) -> str:
    """Return what labels that were read are: numbers, text, bytes, dates, or a class's name."""
    if labels.dtype.kind == "O":
        return _label_kind(labels.flat[0]) if labels.size else "nothing"
    return KIND_BY_DTYPE[labels.dtype.kind]


def check_same_kind(a: Array, b: Array, first: str, second: str) -> tuple[Array, Array]:
    """Return two arrays of labels that were read so that they compare exactly, or refuse them."""
    kinds = label_kind(a), label_kind(b)
    if a.size and b.size and kinds[0] != kinds[1]:
        hint = "; np.char.decode turns bytes into text" if set(kinds) == {"bytes", "text"} else ""
        raise DataError(
            f"{first} holds {kinds[0]} but {second} {kinds[1]}; use the same labels{hint}"
        )
    if kinds[0] == "numbers" and a.dtype != b.dtype:
        return _as_exact_integers(a), _as_exact_integers(b)
    return a, b


def is_missing(label: Any) -> bool:
    """Whether a label is None, NaN, or what pandas has for a missing one."""
    return type(label).__name__ in MISSING or (isinstance(label, float) and label != label)


def _label_kind(label: Any) -> str:
    """Return the kind of one label: text, bytes, numbers, or the name of its class."""
    if isinstance(label, str):
        return "text"
    if isinstance(label, bytes):
        return "bytes"
    if isinstance(label, numbers.Real | np.bool_) or is_decimal(label):
        return "numbers"
    return type(label).__name__


def _read_objects(array: Array, name: str) -> Array:
    """Return objects as an array of what they are; those of a class of one's own stay objects."""
    kinds: dict[str, int] = {}
    for row, label in enumerate(array.flat):
        if is_missing(label):
            raise DataError(f"{name} has a missing label ({label}), the first as entry {row}")
        kinds.setdefault(_label_kind(label), row)
    if len(kinds) > 1:
        both = " and ".join(f"{kind} (entry {row})" for kind, row in list(kinds.items())[:2])
        raise DataError(f"{name} mixes {both}; make all labels of one kind")
    if "list" in kinds or "tuple" in kinds:
        raise ShapeError(f"{name} has rows of different lengths; each needs as many")
    if "text" in kinds:  # not str(label), which of an enumeration's members is their name
        return np.array([str.__str__(label) for label in array.flat]).reshape(array.shape)
    if "bytes" in kinds:
        return array.astype(bytes)
    if "numbers" not in kinds:
        return array
    plain = np.array(array.tolist()).reshape(array.shape)
    return plain if plain.dtype.kind in "biuf" else _as_integers(array, name)


def _as_integers(array: Array, name: str) -> Array:
    """Return numbers that NumPy has no dtype for, as 2**70 and Decimal, as Python's integers."""
    whole = np.empty(array.shape, object)
    for place, label in np.ndenumerate(array):
        with suppress(ValueError, OverflowError):  # of NaN and infinity: None stays there
            whole[place] = int(label)
        if whole[place] != label:
            raise _not_a_label(name, place, str(label))
    return whole


def _check_whole(array: Array, name: str) -> None:
    """Refuse numbers that name no class: NaN, infinity, and what is not whole."""
    wrong = ~np.isfinite(array) | (array != np.floor(array))
    if wrong.any():
        place = np.unravel_index(int(wrong.reshape(-1).argmax()), array.shape)
        raise _not_a_label(name, place, "NaN" if np.isnan(array[place]) else f"{array[place]:g}")


def _not_a_label(name: str, place: tuple[Any, ...], shown: str) -> DataError:
    """Return the error for a number at a place of an array that is no label."""
    return DataError(
        f"{name}[{', '.join(map(str, place))}] is {shown}, which is no label; labels are whole "
        "numbers or text, and probabilities become labels by p > 0.5 or p.argmax(axis=1)"
    )


def _as_exact_integers(labels: Array) -> Array:
    """Return numbers as int64 where they fit, else as Python's; float64 would merge large ones."""
    if labels.dtype.kind == "O":
        return labels
    ends = [int(end) for end in (labels.min(), labels.max())] if labels.size else [0, 0]
    if ends[0] >= -(2**63) and ends[1] < 2**63:
        return labels.astype(np.int64)
    return np.array([int(label) for label in labels.flat], object).reshape(labels.shape)
