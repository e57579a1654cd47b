"""Chooses, once for a run, the kernels that multiply the user's array X in the first layer.

`select_strategy` returns an `Input`, whose kind the kernels branch on, and the requirements of the
kernels of that kind. A requirement is the name by which a program requests a kernel; kernels that
no program requests are not compiled. Numba is imported only when the CPU's features are needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...csr import SparseRows
from ...opcodes import AS_IT_IS, Kind, Precision
from ...views import statistics
from ..codegen.cpu import block_sizes
from ..loader.source import detect_cpu
from .input_descriptor import DTYPE_CODES, DTYPE_NAMES, InputKind, describe_input, reader

FLOAT64, UINT8 = np.dtype(np.float64), np.dtype(np.uint8)
#: The dtypes of X that STRIDED kernels read, at the indices `Input.dtype_code`.
STRIDED_DTYPES = tuple(DTYPE_CODES)[: DTYPE_CODES[UINT8] + 1]

#: Names by which programs request kernels. Kernels of gradients are requested in training only.
GATHER_BLOCKS, SPARSE, STRIDED_ROWS = "gather blocks", "sparse", "strided"
ROUNDED_BLOCKS = "rounded blocks"
INT8_FORWARD, INT8_BACKWARD = "int8 forward", "int8 backward"
INT8_NARROW_FORWARD, INT8_NARROW_BACKWARD = "int8 narrow forward", "int8 narrow backward"
GROUP_FEATURES = "feature groups"  # the loop over groups of features, for kinds from STRIDED on


class Kernels(NamedTuple):
    """Requirements (names) of the two kernels that multiply an `Input` of one kind."""

    forward: str  # of the kernel that computes Z += x Wᵀ
    backward: str  # of the kernel that computes dW = dZ x


#: {InputKind: requirements of its kernels}. LAID_OUT has none: it is an ordinary dense layer.
KERNELS = {
    InputKind.BLOCKS: Kernels(GATHER_BLOCKS, GATHER_BLOCKS),
    InputKind.CSR: Kernels(SPARSE, SPARSE),
    InputKind.ROUNDED_BLOCKS: Kernels(ROUNDED_BLOCKS, ROUNDED_BLOCKS),
    InputKind.STRIDED: Kernels(STRIDED_ROWS, STRIDED_ROWS),
    InputKind.INT8_PACKED: Kernels(INT8_FORWARD, INT8_BACKWARD),
    InputKind.INT8_NARROW: Kernels(INT8_NARROW_FORWARD, INT8_BACKWARD),
    InputKind.INT8_SINGLE_OUTPUT: Kernels(INT8_NARROW_FORWARD, INT8_NARROW_BACKWARD),
}

#: Largest share of stored elements at which CSR rows are multiplied element by element. To convert
#: a batch to a dense matrix first was as fast at 1/22 with 8000 features in float32, at 1/8 with
#: 2000.
CSR_MAX_DENSITY = 1 / 16

#: Numbers of a batch of CSR rows (1 GiB of float32) from which on products of rounded numbers take
#: them block by block. They are laid out below it: the product is the same, and its way shorter.
ROUNDED_CSR_MIN_SIZE = 2**28

STRIDED_MIN_FEATURES = 64  # smallest number of features for STRIDED and the int8 kinds
#: Largest factor of the scaling, and inverse of the smallest, that may multiply the sums instead of
#: the elements of X.
STRIDED_MAX_FACTOR = 2.0**30
#: Largest |factor| · 255, the range of scaled bytes, at which STRIDED and the int8 kinds take bytes
#: that are also shifted. They apply factor and offset to the sums, not to X; with a wider range the
#: two parts would cancel and lose digits.
STRIDED_MAX_BYTE_RANGE = 8.0

#: Smallest numbers of units, and of examples of a batch, for which int8 kinds are faster than
#: STRIDED. Forward pass and gradient of 209 × 12288 bytes took as long for 5 units, 0.8 of the time
#: for 7 (EPYC).
INT8_MIN_OUTPUTS, INT8_MIN_BATCH = 6, 32
#: Smallest numbers of features, and of examples of a batch, for which int8 kinds are faster than a
#: dense layer on converted bytes. Steps of 784 → 33 and of 512 → 10 took 0.79 and 0.95 of the time
#: with 48 examples, 0.58 and 0.79 with 256 (Xeon).
INT8_DIRECT_MIN_FEATURES, INT8_DIRECT_MIN_BATCH = 256, 48
#: Bounds of INT8_NARROW: smallest number of features, smallest number of features for each unit,
#: largest number of units. INT8_PACKED took 1.25 of the time of INT8_NARROW for 12288 → 7, 1.05 for
#: 12288 → 20, as long for 3072 → 16, and 0.94 for 32 units (EPYC).
NARROW_MIN_FEATURES, NARROW_MIN_FEATURES_PER_OUTPUT, NARROW_MAX_OUTPUTS = 2048, 256, 32


def int8_dtypes():
    """Return the dtypes of networks that int8 kernels serve: a tuple, of float32 or empty.

    It is empty on a CPU without VNNI.
    """
    return (np.dtype(np.float32),) if detect_cpu().vnni else ()


def has_int8(dtype):
    """Return a bool: whether int8 kernels serve networks of a np.dtype `dtype` on this CPU."""
    return dtype in int8_dtypes()


def prefers_narrow_forward(n_features, n_out):
    """Return a bool: whether the int8 kernel of the forward pass reads X in place, not packed.

    n_features, n_out: features and units of the first DENSE op row.
    """
    shortest = max(NARROW_MIN_FEATURES, NARROW_MIN_FEATURES_PER_OUTPUT * n_out)
    return n_features >= shortest and n_out <= NARROW_MAX_OUTPUTS


def prefers_narrow_backward(n_features, n_out):
    """Return a bool: whether the int8 kernel of the gradient also reads X in place, not packed.

    n_features, n_out: features and units of the first DENSE op row. The gradient of 209 × 12288
    bytes and one unit took 81 µs, with packed bytes 152 µs (EPYC).
    """
    return n_features >= NARROW_MIN_FEATURES and n_out == 1


def should_use_int8(ops, dtype, batch):
    """Return a bool: whether int8 kernels multiply bytes of X faster than STRIDED kernels.

    ops: the op table, from its INPUT op row on; dtype: the network's np.dtype; batch: examples of a
    step or prediction.
    """
    n_features, n_out = ops["n_in"][1], ops["n_out"][1]
    worth = n_out >= INT8_MIN_OUTPUTS or prefers_narrow_backward(n_features, n_out)
    return batch >= INT8_MIN_BATCH and has_int8(dtype) and worth


def int8_beats_copy(ops, dtype, batch):
    """Return a bool: whether int8 products are faster than a dense layer on converted bytes.

    ops: the op table, from its INPUT op row on; dtype: the network's np.dtype; batch: examples of a
    step or prediction.
    """
    worth = ops["n_in"][1] >= INT8_DIRECT_MIN_FEATURES and ops["n_out"][1] >= INT8_MIN_OUTPUTS
    return batch >= INT8_DIRECT_MIN_BATCH and has_int8(dtype) and worth


def can_multiply_strided(x, op, state):
    """Return a bool: whether a kernel may multiply X in place and scale the sums afterwards.

    x: the Input that describes X; op: the INPUT op row, whose scaling the vector `state` holds. It
    may not if features are scaled one by one, or if sums of unscaled numbers would lose digits: if
    numbers other than bytes of a small range are shifted, if the factor is far from 1, or if
    float64 is scaled in a float32 network.
    """
    if op["stats"] > 1 or op["n_out"] < STRIDED_MIN_FEATURES:
        return False
    if x.dtype_code >= len(STRIDED_DTYPES) or x.column_stride != 1:
        return False
    if op["stats"] == 0:
        return True
    low, factor, rest = (float(part[0]) for part in statistics(state, op))
    is_bytes = x.dtype_code == DTYPE_CODES[UINT8]
    shifted = op["offset"] != (low + rest) * factor
    wide = not is_bytes or abs(factor) * 255 > STRIDED_MAX_BYTE_RANGE
    far = not is_bytes and not 1 / STRIDED_MAX_FACTOR <= abs(factor) <= STRIDED_MAX_FACTOR
    narrowed = x.dtype_code == DTYPE_CODES[FLOAT64] and state.itemsize == 4
    return not ((shifted and wide) or far or narrowed)


def multiplies_input_directly(ops, X, state, dtype, batch):
    """Return a bool: whether the first DENSE op row multiplies X, not the INPUT op row's output.

    It does for unscaled CSR rows of few elements, and for bytes that int8 kernels multiply faster.
    Where products are of rounded numbers, it does for CSR rows that are too many to lie there as a
    dense matrix; bytes are bfloat16 without rounding.
    ops: the op table, from its INPUT op row on; X (m, n): an array, SparseRows, or None if not
    known yet: then the answer is False. state: the vector of scalings, None if not known yet;
    dtype: the network's np.dtype; batch: examples of a step or prediction.
    """
    if X is None or (X.dtype != UINT8 and not isinstance(X, SparseRows)):
        return False  # of most arrays, before the op table is read, which takes microseconds
    if ops["kind"][1] != Kind.DENSE:
        return False
    if ops["precision"][1] == Precision.MIXED:
        size = batch * int(ops["n_in"][1])
        return isinstance(X, SparseRows) and size >= ROUNDED_CSR_MIN_SIZE
    if isinstance(X, SparseRows):
        return ops["stats"][0] == 0 and len(X.data) <= CSR_MAX_DENSITY * X.size
    if ops["A"][0] < 0 or not int8_beats_copy(ops, dtype, batch):
        return False
    return state is None or can_multiply_strided(describe_input(X)[0], ops[0], state)


def select_kind(ops, state, X, x, dtype, batch):
    """Return the InputKind of X (m, n), described by the Input x, for a run of the op table `ops`.

    X: an array or SparseRows; state: the vector of scalings; dtype: the network's np.dtype; batch:
    examples of a step or prediction.
    """
    if ops["A"][0] >= 0:
        return InputKind.LAID_OUT
    if ops["precision"][1] == Precision.MIXED:
        return InputKind.ROUNDED_BLOCKS
    if isinstance(X, SparseRows):
        direct = ops["A"][0] == AS_IT_IS and ops["stats"][0] == 0
        return InputKind.CSR if direct else InputKind.BLOCKS
    if not can_multiply_strided(x, ops[0], state):
        return InputKind.BLOCKS
    if X.dtype != UINT8 or not should_use_int8(ops, dtype, batch):
        return InputKind.STRIDED
    n_features, n_out = int(ops["n_in"][1]), int(ops["n_out"][1])
    if prefers_narrow_backward(n_features, n_out):
        return InputKind.INT8_SINGLE_OUTPUT
    if prefers_narrow_forward(n_features, n_out):
        return InputKind.INT8_NARROW
    return InputKind.INT8_PACKED


def strided_requirement(dtype, n_out):
    """Return the requirement, a str, of the STRIDED kernel for tiles of n_out units.

    dtype: the np.dtype of X.
    """
    return f"strided {DTYPE_NAMES[dtype]} for {n_out}"


def is_unconverted(op, x, dtype):
    """Return a bool: whether rows of X are laid out by a kernel that converts and scales nothing.

    op: the INPUT op row; x: the Input that describes X; dtype: the network's np.dtype.
    """
    return op["stats"] == 0 and x.column_stride == 1 and x.dtype_code == DTYPE_CODES.get(dtype)


def required_kernels(kind, X, n_out, unconverted):
    """Return a set: the requirements (names) of the kernels that read X as an InputKind `kind`.

    X: an array or SparseRows; n_out: units of the first DENSE op row; unconverted: a bool, see
    `is_unconverted`.
    """
    if kind == InputKind.LAID_OUT:
        return {"pick" if unconverted else reader(X), "input"}
    required = {*KERNELS[kind]}
    if kind < InputKind.STRIDED:
        return required | {reader(X)}
    if kind == InputKind.STRIDED:  # Units are cut into nearly equal tiles, of one or two sizes.
        n_tiles = -(-n_out // len(block_sizes().STRIDED_MR))
        sizes = {n_out // n_tiles, -(-n_out // n_tiles)}
        required.update(strided_requirement(X.dtype, size) for size in sizes)
    return required | {GROUP_FEATURES}


def select_strategy(ops, state, X, dtype, batch):
    """Return (the Input of X, the array that it points into, a set of requirements of its kernels).

    X (m, n): an array or SparseRows. The caller keeps the second array alive while the Input is
    used. ops: the op table of the run, from its INPUT op row on; state: the vector of scalings;
    dtype: the network's np.dtype; batch: examples of a step or prediction.
    """
    x, keepalive = describe_input(X)
    kind = select_kind(ops, state, keepalive, x, dtype, batch)
    unconverted = is_unconverted(ops[0], x, np.dtype(dtype))
    required = required_kernels(kind, keepalive, int(ops["n_out"][1]), unconverted)
    return x._replace(kind=int(kind)), keepalive, required
