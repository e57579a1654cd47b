"""What belongs together in the calls of compiled kernels, as named tuples.

Calls hand a record over field by field, an array as its address and shape, so it costs what its
fields would. `FIELDS` spells each record in the letters of `compiler/dispatch_table.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..records import Batch, FitLog, StepNumbers

Array = np.ndarray[Any, Any]

#: Numbers (int64) of the two cache lines that each counter of a barrier has to itself: CPUs fetch
#: lines in pairs.
BARRIER_STRIDE = 16
#: Places in a team's barrier: how often threads arrived at it, whether one of them failed, and the
#: next chunk of work that is shared out dynamically.
ARRIVED, ABORTED, NEXT_CHUNK = 0, 1, 2

#: Chunks whose penalties or squares a step adds up apart, at most; of more parameters chunks grow.
MAX_CHUNKS = 8192


class Team(NamedTuple):
    """Threads that execute the same kernel at once, as one of them sees them (a fork-join team)."""

    barrier: Array  # (BARRIER_STRIDE · (n_threads + 1),) int64; thread i counts in the i-th + 1
    tid: int  # index of this thread, from 0 to n_threads − 1
    n_threads: int


class Model(NamedTuple):
    """A lowered network: its op table and the vectors that the table's offsets count in."""

    ops: Array  # one OP record a row
    theta: Array  # (p,) weights and biases
    state: Array  # statistics of the inputs and of BATCHNORM rows


class WorkspaceOffsets(NamedTuple):
    """Where the parts of a workspace begin; all fields count numbers of the network's dtype.

    The activations A and Z of all rows come first, each (n, ld), at op.A · ld and op.Z · ld.
    """

    output_grads: int  # two buffers (widest n, ld) of rows' dA or dZ, which rows use in turn
    output_grads_stride: int  # from the first of them to the second
    scratch: int  # (3, ld) for softmax and the losses
    targets: int  # (K, ld) of the batch
    weights: int  # (2, ld) of the batch: w/Σw and w
    group_sums: int  # products of groups of features in the first layer, (groups, n_out, ld)
    block_grad: int  # (p,) the gradient of a block of examples, if a batch has several blocks
    thread_base: int  # scratch of the threads, each its own
    thread_size: int  # numbers of each thread's scratch
    block_examples: int  # examples of a block, 0 where batches are never cut into blocks


class Workspace(NamedTuple):
    """The memory of a step or of a prediction, in one flat vector."""

    buffer: Array  # (size,)
    ld: int  # numbers from one feature to the next, at least the examples of a batch
    offsets: WorkspaceOffsets


class Phase(NamedTuple):
    """What a pass through the rows is for: training in an epoch, or a `Mode`."""

    seed: int  # of dropout and noise
    epoch: int  # from 0 on, whose masks and noise are drawn; negative: a Mode, nothing is drawn


class Penalty(NamedTuple):
    """Factors of a penalty on the cost of a step: l2/2 Σ W² + l1 Σ |W|."""

    l2: float
    l1: float


class BatchNorm(NamedTuple):
    """What a BATCHNORM row normalises with, (n_out,) each: A = γ (X − μ) / √(σ² + ε) + β."""

    mean: Array  # μ of the batch, or the running average
    variance: Array  # σ², biased
    gamma: Array
    beta: Array
    epsilon: float


class FeatureGroup(NamedTuple):
    """A group of features whose products the first layer sums apart."""

    number: int  # from 0 to n_groups − 1
    n_groups: int


class Input(NamedTuple):
    """The user's array X (m, n): where kernels find its elements, and which of them multiply it.

    An array is read by strides. Of CSR rows the first three fields are the addresses of the values,
    of the row starts and of the column indices.
    """

    address: int  # of the first element; CSR: of the values (nnz,)
    row_stride: int  # elements from a row to the next; CSR: address of the starts (m + 1,), int64
    column_stride: int  # elements from a column to the next; CSR: address of the columns, int32
    dtype_code: int  # index of the kernel that reads such elements, see `input_descriptor`
    kind: int  # an `input_descriptor.InputKind`


class Features(NamedTuple):
    """Consecutive columns of X."""

    first: int
    n: int


class Outputs(NamedTuple):
    """Consecutive outputs of a layer."""

    first: int
    n: int


class InputScaling(NamedTuple):
    """How an INPUT row scales x: to (x − shift − rest) · factor + offset.

    The vectors hold a number for each feature, one for all, or none where x is not scaled.
    """

    shift: Array  # the mean or minimum, rounded to the network's dtype
    factor: Array
    rest: Array  # what that rounding lost of the shift
    offset: float


class Scaling(NamedTuple):
    """How an INPUT row scales x if it scales all features alike: to factor · x + offset."""

    factor: float
    offset: float


class Matrix(NamedTuple):
    """A matrix in a flat vector: its element (i, j) is data[offset + i · ld + j]."""

    data: Array
    offset: int
    ld: int


class Operand(NamedTuple):
    """A matrix in a flat vector: (i, j) is at data[offset + i · row_stride + j · column_stride]."""

    data: Array
    offset: int
    row_stride: int
    column_stride: int


class Slice(NamedTuple):
    """The indices begin … end − 1."""

    begin: int
    end: int


class Beta(NamedTuple):
    """What a product adds its sums to, by a mode of `gemm/epilogue.py`: 0, C or a bias a row."""

    mode: int
    bias: Array
    bias_offset: int  # row i starts from bias[bias_offset + i] where the mode is BETA_BIAS


class Epilogue(NamedTuple):
    """What a product does to its sums before it stores them, by a kind of `gemm/epilogue.py`."""

    kind: int
    mask_offset: int  # EPILOGUE_RELU_GRAD: where the mask begins in the vector of C; it has C's ld
    mask_scale: float  # and the factor where the mask is positive


class DenseLayer(NamedTuple):
    """Where a DENSE row has its parameters in theta, and their gradient in grad."""

    W: int  # offset of the weights (n_out, n_in)
    b: int  # offset of the biases (n_out,); negative: it has none
    n_in: int
    n_out: int


#: The types of a record's fields, by the record's name.
FIELDS = {
    Matrix: "F1 i i",
    Operand: "F1 i i i",
    Slice: "i i",
    Beta: "i F1 i",
    Epilogue: "i i f",
    DenseLayer: "i i i i",
    Team: "I1 i i",
    Model: "O F1 F1",
    WorkspaceOffsets: " ".join("i" for _ in WorkspaceOffsets._fields),
    Workspace: "F1 i WorkspaceOffsets",
    Phase: "i i",
    Penalty: "f f",
    BatchNorm: "F1 F1 F1 F1 f",
    FeatureGroup: "i i",
    Input: "i i i i i",
    Features: "i i",
    Outputs: "i i",
    InputScaling: "F1 F1 F1 f",
    Scaling: "f f",
    Batch: "X F2 F1 I1",
    StepNumbers: "i f f f f f f i",
    FitLog: "D2 D2 I1",
}
RECORDS = {record.__name__: record for record in FIELDS}
