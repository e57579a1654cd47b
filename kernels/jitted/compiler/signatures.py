"""Signatures of indirect kernels: letters for the types of their arguments.

One signature serves networks of float32 and of float64, whose type is put in for its letters F.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from ..records import FIELDS, RECORDS, Input
from .array_abi import abi_type, abi_types

#: Letters whose types other modules define: op tables, settings, offsets in the workspace.
EXTRA_TYPES: dict[str, Any] = {}


@cache
def argument_types(signature, number):
    """Return Numba's types of a signature's letters, for networks of the type `number`.

    F1, F2: C-contiguous arrays of the network's dtype; D1, D2: of float64; I1: of int64; T: the
    table of pointers; i, f: an int64 and a float64; X: the user's array, an `Input`; others
    stand in EXTRA_TYPES, or are the names of records.
    """
    letters = {
        "F1": types.Array(number, 1, "C"),
        "F2": types.Array(number, 2, "C"),
        "D1": types.Array(types.float64, 1, "C"),
        "D2": types.Array(types.float64, 2, "C"),
        "I1": types.Array(types.int64, 1, "C"),
        "T": types.Array(types.int64, 1, "C"),
        "i": types.int64,
        "f": types.float64,
        "X": types.NamedUniTuple(types.int64, len(Input._fields), Input),
    } | EXTRA_TYPES

    def of(letter):
        record = RECORDS.get(letter)
        return record_type(record, number) if record else letters[letter]

    return tuple(map(of, signature.split()))


def record_type(record, number):
    """Numba's type of a record, for networks of float32 or float64 (`number`)."""
    return types.BaseTuple.from_types(argument_types(FIELDS[record], number), record)


@cache
def abi_argument_types(signature, number):
    """Return Numba's types of a signature's letters as compiled kernels take them."""
    return abi_types(argument_types(signature, number))


def _network_numbers(letters, kinds):
    """Yield the dtype of each argument that is of the network's dtype, of a record's fields too."""
    for letter, kind in zip(letters, kinds, strict=True):
        if letter in ("F1", "F2"):
            yield kind.dtype
        elif letter in RECORDS:
            yield from _network_numbers(FIELDS[RECORDS[letter]].split(), kind.types)


def cast_types(signature, args):
    """Return the tuple that arguments are cast to, and the network's type, from their types."""
    letters = [letter for letter in signature.split() if letter != "T"]
    number = next(_network_numbers(letters, args), types.float64)
    wanted = [
        given if abi_type(given) == abi_type(kind) else kind
        for kind, given in zip(argument_types(" ".join(letters), number), args, strict=True)
    ]
    return types.BaseTuple.from_types(wanted), number
