"""The descriptor of the user's array: an `Input`, whose `kind` says how the first layer reads it.

`strategy` chooses the kind once for a run; kernels branch on it and decide nothing themselves. This
module needs no Numba.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from ...csr import SparseRows
from ...opcodes import READ
from ..records import Input

#: The `Input.dtype_code` of an array by its dtype.
DTYPE_CODES = {dtype: code for code, dtype in enumerate(READ)}
#: The `Input.dtype_code` of CSR rows of float32; the next one stands for those of float64.
CSR_DTYPE_CODE = len(READ)
#: Names of the dtypes, which NumPy takes 2 µs to spell.
DTYPE_NAMES = {dtype: dtype.name for dtype in READ}


class InputKind(IntEnum):
    """How kernels read X. Kinds from STRIDED on sum the features of long rows in groups."""

    LAID_OUT = 0  # converted, scaled and transposed into the workspace, as A of the INPUT row
    BLOCKS = 1  # gathered, converted and scaled block by block
    CSR = 2  # multiplied by the weights element by element; X is sparse
    STRIDED = 3  # multiplied where it lies, converted to the network's dtype in registers
    INT8_PACKED = 4  # bytes in VNNI panels times weights in three limbs, summed as int32
    INT8_NARROW = 5  # forward by bytes where they lie, backward as INT8_PACKED
    INT8_SINGLE_OUTPUT = 6  # forward and backward by bytes where they lie


def describe_input(X: np.ndarray[Any, Any] | SparseRows) -> tuple[Input, Any]:
    """Return X (m, n) as an Input that is laid out, and the array that must outlive it.

    Other byte orders and dtypes become float64; an array whose strides are no multiples of its
    itemsize is copied.
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
    """Return the requirement of the linked kernels that read X, as its dtype and format name it."""
    name = DTYPE_NAMES[X.dtype]
    return f"sparse {name}" if isinstance(X, SparseRows) else name
