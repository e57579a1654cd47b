"""Which kernels multiply the user's array in the first layer: chosen once for a run.

`select_strategy` returns an `Input` whose kind the kernels branch on, and the requirements of the
kernels of that kind (`KERNELS`). Nothing here needs Numba until a CPU is asked about.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...csr import SparseRows
from ...opcodes import AS_IT_IS, Kind
from ...views import statistics
from ..codegen.cpu import block_sizes, detect_cpu
from .input_descriptor import DTYPE_CODES, DTYPE_NAMES, InputKind, describe_input, reader

FLOAT64, UINT8 = np.dtype(np.float64), np.dtype(np.uint8)
#: Dtypes of arrays that are STRIDED: those of the first `Input.dtype_code`s.
STRIDED_DTYPES = tuple(DTYPE_CODES)[: DTYPE_CODES[UINT8] + 1]

#: Requirements of the linked kernels; those of gradients are required in training only.
GATHER_BLOCKS, SPARSE, STRIDED_ROWS = "gather blocks", "sparse", "strided"
INT8_FORWARD, INT8_BACKWARD = "int8 forward", "int8 backward"
INT8_NARROW_FORWARD, INT8_NARROW_BACKWARD = "int8 narrow forward", "int8 narrow backward"
GROUP_FEATURES = "feature groups"  # of the kinds from STRIDED on


class Kernels(NamedTuple):
    """Requirements of the kernels that multiply an input of some kind."""

    forward: str
    backward: str


KERNELS = {
    InputKind.BLOCKS: Kernels(GATHER_BLOCKS, GATHER_BLOCKS),
    InputKind.CSR: Kernels(SPARSE, SPARSE),
    InputKind.STRIDED: Kernels(STRIDED_ROWS, STRIDED_ROWS),
    InputKind.INT8_PACKED: Kernels(INT8_FORWARD, INT8_BACKWARD),
    InputKind.INT8_NARROW: Kernels(INT8_NARROW_FORWARD, INT8_BACKWARD),
    InputKind.INT8_SINGLE_OUTPUT: Kernels(INT8_NARROW_FORWARD, INT8_NARROW_BACKWARD),
}

#: Share of nonzero elements up to which CSR rows are multiplied element by element. To lay a batch
#: out was as fast at 1/22 for 8000 features in float32, at 1/8 for 2000.
CSR_MAX_DENSITY = 1 / 16

STRIDED_MIN_FEATURES = 64  # features from which on arrays are STRIDED
#: Largest factor, and inverse of the smallest, that may scale sums instead of numbers.
STRIDED_MAX_FACTOR = 2.0**30
#: Largest range of scaled, shifted bytes: in a wider one sums of factor · x and offset cancel.
STRIDED_MAX_BYTE_RANGE = 8.0

#: Outputs and examples of a batch from which on int8 kinds take less time than STRIDED: 209 × 12288
#: bytes to 5 outputs and back took as long, to 7 0.8 times (EPYC).
INT8_MIN_OUTPUTS, INT8_MIN_BATCH = 6, 32
#: Features and examples from which on they take less time than to lay bytes out: steps of 784 → 33
#: and 512 → 10 took 0.79 and 0.95 of it with 48 examples, 0.58 and 0.79 with 256 (Xeon).
INT8_DIRECT_MIN_FEATURES, INT8_DIRECT_MIN_BATCH = 256, 48
#: INT8_NARROW takes rows of so many features, and for each output; and so many outputs at most.
#: INT8_PACKED took 1.25 of its time for 12288 → 7, 1.05 for → 20, the same for 3072 → 16, and 0.94
#: for → 32 (EPYC).
NARROW_MIN_FEATURES, NARROW_MIN_FEATURES_PER_OUTPUT, NARROW_MAX_OUTPUTS = 2048, 256, 32


def int8_dtypes():
    """Return the dtypes of the networks for which this CPU has int8 kernels."""
    return (np.dtype(np.float32),) if detect_cpu().vnni else ()


def has_int8(dtype):
    """Tell whether this CPU has int8 kernels for networks of a dtype."""
    return dtype in int8_dtypes()


def prefers_narrow_forward(n_features, n_out):
    """Tell whether bytes that int8 kernels multiply are not packed forward."""
    shortest = max(NARROW_MIN_FEATURES, NARROW_MIN_FEATURES_PER_OUTPUT * n_out)
    return n_features >= shortest and n_out <= NARROW_MAX_OUTPUTS


def prefers_narrow_backward(n_features, n_out):
    """Tell whether bytes that int8 kernels multiply are not packed in the gradient either.

    The gradient of 209 rows of 12288 and one output took 81 µs, with packed bytes 152 (EPYC).
    """
    return n_features >= NARROW_MIN_FEATURES and n_out == 1


def should_use_int8(ops, dtype, batch):
    """Tell whether int8 kernels multiply bytes faster than STRIDED, in a batch of that size."""
    n_features, n_out = ops["n_in"][1], ops["n_out"][1]
    worth = n_out >= INT8_MIN_OUTPUTS or prefers_narrow_backward(n_features, n_out)
    return batch >= INT8_MIN_BATCH and has_int8(dtype) and worth


def int8_beats_copy(ops, dtype, batch):
    """Tell whether int8 kernels multiply bytes faster than they are laid out and multiplied."""
    worth = ops["n_in"][1] >= INT8_DIRECT_MIN_FEATURES and ops["n_out"][1] >= INT8_MIN_OUTPUTS
    return batch >= INT8_DIRECT_MIN_BATCH and has_int8(dtype) and worth


def can_multiply_strided(x, op, state):
    """Tell whether the INPUT row `op` leaves an Input x to be multiplied where it lies.

    It does not where features are scaled apart, nor where sums of unscaled numbers would lose
    digits that scaled ones keep: with shifted numbers of a wide range, far factors, and float64
    scaled in a network of float32.
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
    """Tell whether the first DENSE row multiplies X instead of the INPUT row, where ops have one.

    That is CSR of few elements that nothing is subtracted from, and bytes for int8 kernels.
    state: None where it is not known yet.
    """
    if X is None or ops["kind"][1] != Kind.DENSE:
        return False
    if isinstance(X, SparseRows):
        return ops["stats"][0] == 0 and len(X.data) <= CSR_MAX_DENSITY * X.size
    if X.dtype != UINT8 or ops["A"][0] < 0 or not int8_beats_copy(ops, dtype, batch):
        return False
    return state is None or can_multiply_strided(describe_input(X)[0], ops[0], state)


def select_kind(ops, state, X, x, dtype, batch):
    """Return the InputKind of X, whose Input is x, in a run of these ops."""
    if ops["A"][0] >= 0:
        return InputKind.LAID_OUT
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
    """The requirement of the STRIDED tiles for X of a dtype and so many outputs at once."""
    return f"strided {DTYPE_NAMES[dtype]} for {n_out}"


def required_kernels(kind, X, n_out):
    """Return the requirements of the linked kernels that read X as this kind, for n_out outputs."""
    if kind == InputKind.LAID_OUT:
        return {reader(X), "input"}
    required = {*KERNELS[kind]}
    if kind < InputKind.STRIDED:
        return required | {reader(X)}
    if kind == InputKind.STRIDED:  # tiles share the outputs out nearly evenly
        n_tiles = -(-n_out // len(block_sizes().STRIDED_MR))
        sizes = {n_out // n_tiles, -(-n_out // n_tiles)}
        required.update(strided_requirement(X.dtype, size) for size in sizes)
    return required | {GROUP_FEATURES}


def select_strategy(ops, state, X, dtype, batch):
    """Return (Input, array that must outlive it, requirements of its kernels) of X in a run.

    ops: the op table of the run, which may lay X out; dtype: the network's; batch: examples of a
    step, or of a prediction.
    """
    x, keepalive = describe_input(X)
    kind = select_kind(ops, state, keepalive, x, dtype, batch)
    required = required_kernels(kind, keepalive, int(ops["n_out"][1]))
    return x._replace(kind=int(kind)), keepalive, required
