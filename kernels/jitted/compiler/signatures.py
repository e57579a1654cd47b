"""Signatures of indirect kernels: strings like "T F1 i", and the Numba types they stand for.

In this module a letter is one word of a signature, and `number` is Numba's type of the network's
numbers, float32 or float64.
"""

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
    """Return a tuple with the Numba type of each letter of a signature, a string like "T F1 i".

    number: float32 or float64, Numba's type of the network's numbers. F1, F2: C-contiguous vector
    and matrix of `number`; D1, D2: of float64; I1: vector of int64; T: the kernel pointers
    (kernels,) int64; i: int64; P: the address of a C-contiguous matrix; f: float64; X: an `Input`,
    which describes the user's array; O: an op table (rows,); S: settings (1,); any other letter is
    the name of a record in `records.RECORDS`.
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
        "P": types.int64,
        "f": types.float64,
    }

    def of(letter):
        """Return the Numba type of one letter, a word of the signature."""
        record = RECORDS.get("Input" if letter == "X" else letter)
        return record_type(record, number) if record else letters[letter]

    return tuple(map(of, signature.split()))


def record_type(record, number):
    """Return the Numba type of a record, for networks of `number`, Numba's float32 or float64.

    record: its class, a key of `records.FIELDS`.
    """
    return types.BaseTuple.from_types(argument_types(FIELDS[record], number), record)


@cache
def abi_argument_types(signature, number):
    """Return the tuple of Numba types of a compiled kernel's arguments, one for each letter.

    signature: a string of letters; number: Numba's float32 or float64, the network's. Arrays are of
    the type `AbiArray`, which is passed as an address and a shape.
    """
    return abi_types(argument_types(signature, number))


def _network_types(letters, kinds):
    """Yield the Numba type of the elements of each argument F1 or F2, also within records.

    letters: a list of a signature's letters; kinds: the Numba types of the arguments, one a letter.
    """
    for letter, kind in zip(letters, kinds, strict=True):
        if letter in ("F1", "F2"):
            yield kind.dtype
        elif letter in RECORDS:
            yield from _network_types(FIELDS[RECORDS[letter]].split(), kind.types)


def call_types(signature, args):
    """Return (tuple type to which a call casts its arguments, Numba type of the network's numbers).

    signature: a string of letters; args: the Numba types of the arguments, without the table of a
    leading T. An argument keeps its type if `abi_type` makes no difference between it and the
    signature's type. The network's type is that of the first F1 or F2, or float64 if there is none.
    """
    letters = [letter for letter in signature.split() if letter != "T"]
    number = next(_network_types(letters, args), types.float64)
    wanted = [
        given if abi_type(given) == abi_type(kind) else kind
        for kind, given in zip(argument_types(" ".join(letters), number), args, strict=True)
    ]
    return types.BaseTuple.from_types(wanted), number


def network_type(dtype):
    """Return Numba's float32 or float64 for a network's NumPy dtype, or for the dtype's name."""
    return types.float32 if np.dtype(dtype) == np.float32 else types.float64
