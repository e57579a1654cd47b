"""Signatures of indirect kernels: a string of letters, and the Numba types that they stand for."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from numba import types

from ...opcodes import OP, SETTINGS
from ..records import FIELDS, RECORDS
from .array_abi import abi_type, abi_types


@cache
def argument_types(signature, number):
    """Return Numba's types of a signature's letters, for networks of the type `number`.

    F1, F2: C-contiguous arrays of the network's dtype; D1, D2: of float64; I1: of int64; T: the
    table of pointers; i, f: an int64 and a float64; X: the user's array, an `Input`; O: an op
    table; S: settings (1,); others are the names of records.
    """
    letters = {
        "F1": types.Array(number, 1, "C"),
        "F2": types.Array(number, 2, "C"),
        "D1": types.Array(types.float64, 1, "C"),
        "D2": types.Array(types.float64, 2, "C"),
        "I1": types.Array(types.int64, 1, "C"),
        "T": types.Array(types.int64, 1, "C"),
        "O": types.Array(numba.from_dtype(OP), 1, "C"),
        "S": types.Array(numba.from_dtype(SETTINGS), 1, "C"),
        "i": types.int64,
        "f": types.float64,
    }

    def of(letter):
        record = RECORDS.get("Input" if letter == "X" else letter)
        return record_type(record, number) if record else letters[letter]

    return tuple(map(of, signature.split()))


def record_type(record, number):
    """Return Numba's type of a record, for networks of the type `number`."""
    return types.BaseTuple.from_types(argument_types(FIELDS[record], number), record)


@cache
def abi_argument_types(signature, number):
    """Return Numba's types of a signature's letters as compiled kernels take them."""
    return abi_types(argument_types(signature, number))


def _network_types(letters, kinds):
    """Yield the dtype of each argument that is of the network's dtype, of a record's fields too."""
    for letter, kind in zip(letters, kinds, strict=True):
        if letter in ("F1", "F2"):
            yield kind.dtype
        elif letter in RECORDS:
            yield from _network_types(FIELDS[RECORDS[letter]].split(), kind.types)


def call_types(signature, args):
    """Return the tuple that arguments are cast to, and the network's type, from their types."""
    letters = [letter for letter in signature.split() if letter != "T"]
    number = next(_network_types(letters, args), types.float64)
    wanted = [
        given if abi_type(given) == abi_type(kind) else kind
        for kind, given in zip(argument_types(" ".join(letters), number), args, strict=True)
    ]
    return types.BaseTuple.from_types(wanted), number


def network_type(dtype):
    """Return Numba's type of a network's numbers, from a dtype or its name."""
    return types.float32 if np.dtype(dtype) == np.float32 else types.float64
