"""The descriptor of the user's array: an `Input`, whose `kind` says how the first layer reads it.

`strategy.py` chooses the kind once for a run, and kernels branch on it. This module imports no
Numba.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from ...csr import SparseRows
from ...opcodes import READ
from ..records import Input

#: {dtype: `Input.dtype_code`} of arrays.
DTYPE_CODES = {dtype: code for code, dtype in enumerate(READ)}
#: The `Input.dtype_code` of CSR rows with float32 values; float64 values have CSR_DTYPE_CODE + 1.
CSR_DTYPE_CODE = len(READ)
#: {dtype: name}. A look-up here is faster than `dtype.name`, for which NumPy takes 2 µs.
DTYPE_NAMES = {dtype: dtype.name for dtype in READ}


class InputKind(IntEnum):
    """How the kernels of the first layer read X (m, n).

    Kinds from STRIDED on cut many features into groups and sum the products of each group apart.
    """

    LAID_OUT = 0  # X is converted, scaled and transposed into A of the INPUT op row
    BLOCKS = 1  # blocks of X are copied to scratch, converted and scaled
    CSR = 2  # each stored element of the sparse X is multiplied by weights
    ROUNDED_BLOCKS = 3  # as BLOCKS, and multiplied by products of numbers rounded to bfloat16
    STRIDED = 4  # X is read in place and converted to the network's dtype in registers
    INT8_PACKED = 5  # bytes of X are packed for VNNI; sums of int32 of bytes × signed bytes
    INT8_NARROW = 6  # int8 products: forward reads X in place, the gradient packs it
    INT8_SINGLE_OUTPUT = 7  # int8 products of one unit: forward and gradient read X in place


def describe_input(X: np.ndarray[Any, Any] | SparseRows) -> tuple[Input, Any]:
    """Return (an Input of kind LAID_OUT that describes X (m, n), the array that it points into).

    X: an array or SparseRows. The caller keeps the second array alive while the Input is used. It
    is X itself, or a copy: in float64 if no kernel reads the dtype or byte order of X; in C order
    if X is not aligned or its strides are not multiples of its itemsize.
    """
    kind = int(InputKind.LAID_OUT)
    if isinstance(X, SparseRows):
        vectors = X.data, X.indptr, X.indices
        values, starts, columns = (v.__array_interface__["data"][0] for v in vectors)
        return Input(values, starts, columns, CSR_DTYPE_CODE + DTYPE_CODES[X.dtype], kind), X
    if X.dtype not in DTYPE_CODES:
        X = X.astype(np.float64)
    size, flags = X.itemsize, X.flags
    if not flags.aligned or (not flags.c_contiguous and any(step % size for step in X.strides)):
        X = X.copy()
    rows, columns = X.strides
    address = X.__array_interface__["data"][0]
    return Input(address, rows // size, columns // size, DTYPE_CODES[X.dtype], kind), X


def reader(X: np.ndarray[Any, Any] | SparseRows) -> str:
    """Return the name (a str) by which a program requests the kernels that read X.

    Of SparseRows it is "sparse float32" or "sparse float64", of an array the dtype's name: "uint8".
    """
    name = DTYPE_NAMES[X.dtype]
    return f"sparse {name}" if isinstance(X, SparseRows) else name
