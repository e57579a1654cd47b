"""The records: named tuples that group what compiled kernels take as one argument.

A call hands a record over field by field, an array as its address and shape: a record costs what
its fields would cost as separate arguments. `FIELDS` gives the types of each record's fields in the
letters that `compiler/signatures.py` explains.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..records import Batch, BestEpoch, FitLog, StepNumbers

Array = np.ndarray[Any, Any]

#: Distance between the counters of a barrier, in int64 numbers: two cache lines, because CPUs fetch
#: cache lines in pairs and a line that two threads write to would travel between their caches.
BARRIER_STRIDE = 16
#: Indices into a team's barrier vector. ARRIVED: how often threads have come to a barrier, all
#: threads together; ABORTED: 1 once a thread has failed, else 0; NEXT_CHUNK: the first piece of
#: work that no thread has taken yet, where each thread takes the next one when it is done.
ARRIVED, ABORTED, NEXT_CHUNK = 0, 1, 2

#: Largest number of chunks of parameters for which a step stores partial sums (of the penalty or of
#: squared gradients); a network with more parameters gets larger chunks. It bounds their scratch.
MAX_CHUNKS = 8192


class Team(NamedTuple):
    """Threads that execute one kernel at the same time (fork-join), as thread `tid` sees them."""

    # (BARRIER_STRIDE · (n_threads + 1),) int64: counters. barrier[ARRIVED], [ABORTED], [NEXT_CHUNK]
    # serve all threads; barrier[BARRIER_STRIDE · (tid + 1)] counts the barriers of thread tid.
    barrier: Array
    tid: int  # index of this thread, from 0 to n_threads − 1
    n_threads: int  # number of threads of the team


class Model(NamedTuple):
    """A lowered network: its op table, and the two vectors that its offsets point into."""

    ops: Array  # (n_rows,) of dtype `opcodes.OP`: the op table, one op row for each op
    theta: Array  # (p,) all parameters: weights, biases, γ and β
    state: Array  # (s,): shifts and factors of INPUT op rows, means and variances of BATCHNORM


class WorkspaceOffsets(NamedTuple):
    """Where the parts of a workspace begin, counted in numbers of the network's dtype.

    Before these parts lie the activations: A (n_out, ld) of an op row at op.A · ld and its
    pre-activation Z (n_out, ld) at op.Z · ld.
    """

    # Two buffers (widest n_out, ld) for dA, dZ: the backward pass reads one and writes the other,
    # then swaps them for the next op row.
    output_grads: int
    output_grads_stride: int  # numbers from the first of these buffers to the second
    scratch: int  # (3, ld) intermediate results of softmax and of the losses
    targets: int  # (K, ld) targets Y of the batch, transposed
    weights: int  # (2, ld) w/Σw and w, the weights of the batch's examples
    group_sums: int  # (groups, n_out, ld) sums of the first layer, one matrix per `FeatureGroup`
    block_grad: int  # (p,) gradient of one block of examples, where batches are cut into blocks
    thread_base: int  # scratch of the threads, thread_size numbers each
    thread_size: int  # numbers of one thread's scratch
    block_examples: int  # examples of a block; 0 where batches are never cut into blocks


class Workspace(NamedTuple):
    """The memory of a step or of a prediction, in one flat vector."""

    buffer: Array  # (size,) of the network's dtype
    ld: int  # leading dimension of its matrices (n, ld): at least the number of examples
    offsets: WorkspaceOffsets  # where the parts of the buffer begin


class Phase(NamedTuple):
    """Whether a forward or backward pass trains, and what seeds its dropout masks and noise."""

    seed: int  # seed of dropout masks and noise
    epoch: int  # ≥ 0: train, with the masks and noise of this epoch; < 0: a `Mode`, draw none


class Penalty(NamedTuple):
    """The penalty l2/2 Σ W² + l1 Σ |W| that a step adds to its cost."""

    l2: float  # the setting l2 divided by Σ w, the total weight of the batch's examples
    l1: float  # the setting l1 divided by Σ w


class Validation(NamedTuple):
    """The examples that are scored after each epoch, memory for their scores, and the best."""

    batch: Batch
    block_losses: Array  # (blocks, 3) float64: (cost, hits, Σ w) of each block of ld examples
    best: BestEpoch  # without numbers where nothing is to be kept


class Differences(NamedTuple):
    """The central differences that a gradient check takes."""

    epsilon: float  # the smallest step of a parameter
    indices: Array  # (n,) int64: the parameters
    out: Array  # (n,) float64: a slope for each
    step_log: Array  # (3,) float64, scratch: cost, hits and Σ w of a step


class Sharding(NamedTuple):
    """The shards of a batch that this process computes, and how all of them are added up."""

    n_shards: int  # shards that each batch is cut into, by all processes together
    first: int  # the first shard of this process
    merges: Array  # (own shards,) int64: sums of two vectors that follow each of its shards
    losses: Array  # (n_shards, 2) float64: share of the cost and hits of each shard
    # (1,) int64: what `reduce` returned; all threads read it.
    status: Array
    reduce: int  # address of a C function of no arguments that returns an int64; 0: none


class BatchNorm(NamedTuple):
    """The operands of batch normalisation, A = γ (X − μ) / √(σ² + ε) + β, one number a unit."""

    mean: Array  # (n_out,) μ: means of the batch, or in inference the running averages of means
    variance: Array  # (n_out,) σ²: biased variances of the batch, or their running averages
    gamma: Array  # (n_out,) γ
    beta: Array  # (n_out,) β
    epsilon: float  # ε


class FeatureGroup(NamedTuple):
    """One of n_groups parts of the columns of X; the first layer sums each part separately."""

    number: int  # index of this part, from 0 to n_groups − 1
    n_groups: int  # number of parts


class Input(NamedTuple):
    """The description of the user's X (m, n): its address, strides, dtype and how it is read.

    X is a strided array, or CSR rows: values (nnz,), starts of the rows (m + 1,) int64 and column
    indices (nnz,) int32. For CSR the first three fields are the addresses of these vectors.
    """

    address: int  # address of X[0, 0]; CSR: address of the values
    row_stride: int  # elements from X[i, j] to X[i + 1, j]; CSR: address of the row starts
    column_stride: int  # elements from X[i, j] to X[i, j + 1]; CSR: address of the column indices
    dtype_code: int  # index in `opcodes.READ`; CSR of float32 and float64: the two codes after it
    kind: int  # an `input_descriptor.InputKind`: which kernels read X


class BlockJob(NamedTuple):
    """A prediction whose examples several threads share: the arguments of `predict_blocks`."""

    kernel_ptrs: Array  # (kernels,) int64: the table of kernel pointers
    model: Model
    last: int  # index of the op row that is predicted
    workspace: Workspace
    X: Input
    row_indices: Array  # (m,) int64: indices of the examples
    out: Array  # (m, K) of the network's dtype
    nonfinite: Array  # (n_threads,) int64: 1 where a thread has found NaN or infinity


class Features(NamedTuple):
    """The columns first … first + n − 1 of X."""

    first: int  # index of the first column
    n: int  # number of columns


class Outputs(NamedTuple):
    """The units first … first + n − 1 of a dense layer: rows of W (n_out, n_in)."""

    first: int  # index of the first unit
    n: int  # number of units


class InputScaling(NamedTuple):
    """How an INPUT op row scales a number x of X: A = (x − shift − rest) · factor + offset.

    shift, factor and rest are (n,) with a number for each feature, (1,) with one number for all
    features, or (0,) where X is not scaled.
    """

    shift: Array  # mean or minimum of X, rounded to the network's dtype
    factor: Array  # multiplies x after the shift
    rest: Array  # rounding error of the shift: the exact mean or minimum − shift
    offset: float  # added last, one for all features


class Scaling(NamedTuple):
    """How an INPUT op row scales X, all features alike: A = factor · X + offset, two numbers."""

    factor: float  # multiplies each element of X
    offset: float  # added to the product


class Matrix(NamedTuple):
    """A matrix in a flat vector: its element (i, j) is data[offset + i · ld + j]."""

    data: Array  # (size,), the vector
    offset: int  # index in `data` of the element (0, 0)
    ld: int  # leading dimension: numbers from (i, j) to (i + 1, j)


class Operand(NamedTuple):
    """A matrix in a flat vector: (i, j) is data[offset + i · row_stride + j · column_stride]."""

    data: Array  # (size,), the vector
    offset: int  # index in `data` of the element (0, 0)
    row_stride: int  # numbers from (i, j) to (i + 1, j)
    column_stride: int  # numbers from (i, j) to (i, j + 1)


class Slice(NamedTuple):
    """The indices begin … end − 1, for example of the units or the inputs of a dense layer."""

    begin: int  # first index
    end: int  # last index + 1


#: Values of `Beta.mode`: the product's sum for C[i, j] is added to 0, to the old C[i, j] or to
#: bias[bias_offset + i], the bias of row i.
BETA_ZERO, BETA_ONE, BETA_BIAS = 0, 1, 2


class Beta(NamedTuple):
    """The start value of C[i, j] in C = A B: 0, the old C[i, j], or bias[bias_offset + i]."""

    mode: int  # BETA_ZERO, BETA_ONE or BETA_BIAS, in the order above
    bias: Array  # (size,); unused unless the mode is BETA_BIAS
    bias_offset: int  # index of the bias of C's row 0


class Epilogue(NamedTuple):
    """What the product C = A B stores for a sum s: s, max(s, 0), or the gradient of relu.

    The gradient of relu is mask_scale · s where mask[i, j] > 0, else 0. The mask is a matrix of C's
    shape and leading dimension in the vector that holds C.
    """

    kind: int  # EPILOGUE_NONE, EPILOGUE_RELU or EPILOGUE_RELU_GRAD of `gemm/epilogue.py`
    mask_offset: int  # index of mask[0, 0] in C's vector; only EPILOGUE_RELU_GRAD uses it
    mask_scale: float  # factor of s; only EPILOGUE_RELU_GRAD uses it


class DenseLayer(NamedTuple):
    """Where a DENSE op row has its parameters in theta (p,), and their gradient in grad (p,)."""

    W: int  # offset of the weights (n_out, n_in)
    b: int  # offset of the biases (n_out,); negative: the layer has none
    n_in: int  # features
    n_out: int  # units


#: The types of each record's fields: letters of `compiler/signatures.py`, or names of records.
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
    BlockJob: "T Model i Workspace X I1 F2 I1",
    Features: "i i",
    Outputs: "i i",
    InputScaling: "F1 F1 F1 f",
    Scaling: "f f",
    Batch: "X F2 F1 I1 I1",
    BestEpoch: "D1 F1 F1 i",
    Validation: "Batch D2 BestEpoch",
    Differences: "f I1 D1 D1",
    Sharding: "i i I1 D2 I1 i",
    StepNumbers: "i f f f f f f i",
    FitLog: "D2 D2 I1",
}
RECORDS = {record.__name__: record for record in FIELDS}
