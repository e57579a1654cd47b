"""Iterables that are no data: generators, loaders and sequences of batches, refused untouched.

A fit goes over its rows many times and divides them into batches itself. NumPy would make such an
object an array entry by entry, and one without an end would take all memory. Libraries are known by
the modules of an object's classes and never imported.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from fastnn.errors import DataError

#: What NumPy asks an object for before it looks at its entries, and what sparse matrices have.
ARRAY_ATTRIBUTES = ("__array__", "__array_interface__", "__array_struct__", "shape")
#: Classes that give batches or single examples, by the beginning of their modules' names.
LOADERS = {
    "torch.utils.data": ("DataLoader", "IterableDataset", "Dataset"),
    "keras": ("PyDataset", "Sequence"),
    "tensorflow": ("PyDataset", "Sequence", "DatasetV2", "DatasetV1"),
    "tf_keras": ("PyDataset", "Sequence"),
}


def check_no_iterable(value: Any, name: str, verb: str | None = None) -> None:
    """Refuse what gives its entries one by one or in batches, before it is gone over.

    Of a class that only has a length and items, its first item and the one at its length are asked
    for: a list of rows ends there with an IndexError, and batches are pairs of arrays.

    verb: the method that was called, for the error's advice; None if that is not known.

    Raises
    ------
    DataError
        If the value is a generator or another iterator, a loader, or a sequence of batches.
    """
    if isinstance(value, list | tuple | str | bytes):
        return
    if loader := _loader_class(value):
        raise DataError(f"{name} is {loader}; {_advice(verb, batches=True)}")
    if _is_array_like(value):
        return
    if _iterates_only(value):
        raise DataError(f"{name} is {_with_article(value)}; {_advice(verb)}")
    if _has_items_only(value) and (fault := _sequence_fault(value)):
        advice = _advice(verb, batches=True)
        raise DataError(f"{name} is {_with_article(value)}, {fault}; {advice}")


def _advice(verb: str | None, batches: bool = False) -> str:
    """Return what to give instead to a method, where an iterable, or one of batches, was given."""
    if verb is None:
        return (
            "what gives its entries one by one or in batches is not taken: give an array or an "
            "HDF5 data set"
        )
    if verb == "fit":
        making = " and makes its batches itself" if batches else ""
        return (
            f"fit goes over the data several times{making}: give an array or an HDF5 data set, or "
            "call an estimator's partial_fit a piece"
        )
    return f"{verb} takes all rows: give an array or an HDF5 data set, or call {verb} a piece"


def _is_array_like(value: Any) -> bool:
    """Return whether a value is a whole array, of which nobody has to ask for the entries."""
    if any(hasattr(value, attribute) for attribute in ARRAY_ATTRIBUTES):
        return True
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _loader_class(value: Any) -> str | None:
    """Return what a value of a known library's loading classes is called, if it is one."""
    for kind in type(value).__mro__:
        for module, names in LOADERS.items():
            if f"{kind.__module__}.".startswith(f"{module}.") and kind.__name__ in names:
                return f"a {module.partition('.')[0]} {kind.__name__.removesuffix('V2')}"
    return None


def _iterates_only(value: Any) -> bool:
    """Return whether a value has an iterator, and neither items nor keys."""
    if isinstance(value, type) or hasattr(value, "keys"):
        return False
    return hasattr(value, "__iter__") and (
        isinstance(value, Set) or not hasattr(type(value), "__getitem__")
    )


def _has_items_only(value: Any) -> bool:
    """Return whether a value has a length and items, and does not say that it is a sequence."""
    if isinstance(value, type | Sequence) or hasattr(value, "keys"):
        return False
    return hasattr(type(value), "__getitem__") and hasattr(type(value), "__len__")


def _sequence_fault(value: Any) -> str | None:
    """Return why items of a sequence are no rows, as the middle of a sentence; None if they may be.

    Both items are asked for as NumPy would, and thrown away.
    """
    try:
        length = len(value)
        first = value[0] if length else ()
    except Exception as error:  # whatever a user's class raises
        return f"whose length or first item cannot be had ({type(error).__name__}: {error!s:.100})"
    parts = first.values() if hasattr(first, "values") else first
    if isinstance(first, tuple | dict) and any(getattr(part, "shape", ()) for part in parts):
        return "a sequence of pairs or batches"
    try:
        value[length]
    except IndexError:
        return None
    except Exception as error:  # whatever a user's class raises
        return f"whose end at its length of {length} cannot be told ({type(error).__name__})"
    return f"a sequence that does not end at its length of {length}"


def _with_article(value: Any) -> str:
    """Return the name of a value's class with an article: a generator, an ItemsView."""
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"
