"""The forward pass through the op rows of a network, cut into tasks that a team shares out.

All threads of a team call a function at once and each executes its own tasks. Each number is
computed by one thread in one order of operations, whatever task it belongs to; therefore the bits
do not depend on the number of threads. Activations are matrices (n, ld): a row for each unit, a
column for each example. Columns beyond the batch hold finite numbers; dZ is 0 there, so they add
nothing to a gradient.
"""

from __future__ import annotations

from ...opcodes import Activation, Kind, Mode, Precision
from ..codegen.barrier import barrier_wait
from ..codegen.partition import (
    divide,
    pad_to_cache_lines,
    partition_cache_lines,
    static_partition,
)
from ..codegen.pointers import fill_zero, view, view_matrix
from ..compiler.definitions import indirect
from ..compiler.jit import inlined
from ..first_layer import driver
from ..first_layer.driver import read_block
from ..first_layer.sizes import GATHER_BLOCK_FEATURES, GATHER_BLOCK_ROWS
from ..gemm.microkernel import MR
from ..gemm.packing import gather_rows, lane_count, transpose
from ..ops import batchnorm, dense
from ..ops.activations import activate
from ..ops.random import add_noise, drop_units
from ..records import BatchNorm, DenseLayer, Matrix, Slice
from .mixed_products import mixed_outputs

DENSE, ACTIVATION, SOFTMAX = int(Kind.DENSE), int(Kind.ACTIVATION), int(Activation.SOFTMAX)
RELU, IDENTITY = int(Activation.RELU), int(Activation.IDENTITY)
DROPOUT, NOISE, BATCHNORM = int(Kind.DROPOUT), int(Kind.NOISE), int(Kind.BATCHNORM)
INFERENCE, MIXED = int(Mode.INFERENCE), int(Precision.MIXED)

UNITS_PER_TASK = 24  # units in a task of an op row that is no matrix product, at most
#: Tiles of MR units in a task of a product, at most. Layers 54 → 128 ran at 131 GFLOP/s with 4
#: tiles and 150 with 16; 2048 → 2048 at 125 and 140 (Xeon, batches of 256).
TILES_PER_TASK = 16
EXAMPLES_PER_TASK = 512  # examples in a task of a product, at most


@inlined
def _pad_examples(m, buffer, phase):
    """Return m, a number of examples, rounded up to columns that a forward pass computes.

    They are whole vectors. A gradient also reads the columns up to the end of m's cache line; so
    they are computed too, unless phase.epoch is Mode.INFERENCE. buffer: an array of the network's
    dtype; phase: a Phase.
    """
    lanes = lane_count(buffer)
    if phase.epoch == INFERENCE:
        return (m + lanes - 1) // lanes * lanes
    return pad_to_cache_lines(m, buffer.itemsize)


@inlined
def n_row_tiles(n):
    """Return ⌈n / MR⌉, the number of tiles of MR rows that cover n rows of a matrix."""
    return (n + MR - 1) // MR


@indirect("T Model Workspace X I1 Team", requires="input")
def _lay_out_input(kernel_ptrs, model, workspace, X, row_indices, team):
    """A[k, j] ← X[row_indices[j], k], scaled as the INPUT op row says, for k < n and j < m.

    X: an Input; row_indices (m,): indices of examples; n: features. A (n, ld), of the network's
    dtype, lies in the workspace from element ops[0].A · ld on. A thread writes its share of the
    columns. Columns from m up to the end of m's cache line are filled with finite numbers.
    """
    op, state = model.ops[0], model.state
    buffer, ld, offsets = workspace
    block_offset = offsets.thread_base + team.tid * offsets.thread_size
    m, m_padded = row_indices.size, pad_to_cache_lines(row_indices.size, buffer.itemsize)
    first, last = partition_cache_lines(m, buffer.itemsize, team.tid, team.n_threads)
    width = min(op.n_out, GATHER_BLOCK_FEATURES)
    # Examples of the network's dtype that are not scaled are gathered without a conversion, as
    # `strategy.is_unconverted` says.
    unconverted = (
        op.stats == 0
        and X.column_stride == 1
        and X.dtype_code == (0 if buffer.itemsize == 4 else 1)
    )
    if unconverted:
        own = view(row_indices, first, last - first)
        gather_rows(kernel_ptrs, X, own, op.n_out, buffer, op.A * ld + first, ld)
    for j in range(first, first if unconverted else last, GATHER_BLOCK_ROWS):
        n = min(GATHER_BLOCK_ROWS, last - j)
        for k in range(0, op.n_out, width):
            w = min(width, op.n_out - k)
            block = view_matrix(buffer, block_offset, n, w)
            read_block(kernel_ptrs, op, state, X, view(row_indices, j, n), k, block)
            transpose(
                kernel_ptrs, n, w, buffer, block_offset, w, buffer, (op.A + k) * ld + j, ld, 0
            )
    lanes = lane_count(buffer)
    written = (m + lanes - 1) // lanes * lanes if unconverted else m
    for k in range(op.n_out if last == m and written < m_padded else 0):
        fill_zero(view(buffer, (op.A + k) * ld + written, m_padded - written))


@inlined
def _dense(kernel_ptrs, model, row, workspace, Z, A, m_padded, scratch, team):
    """Z[o, j] ← b[o] + Σᵢ W[o, i] X[i, j], A ← g(Z), for all units o and columns j < m_padded.

    row: index of a DENSE op row; X (n_in, ld): A of op row row − 1. Z, A (n_out, ld) out: views of
    the workspace, often of one memory. If g is softmax, only Z is written: softmax needs all units,
    and the caller applies it. scratch (3, ld) is passed on to `activate`. A thread computes its
    share of the tasks: each is at most TILES_PER_TASK tiles of MR units by EXAMPLES_PER_TASK
    examples.
    """
    ops, theta = model.ops, model.theta
    buffer, ld = workspace.buffer, workspace.ld
    op = ops[row]
    down, across = (
        n_row_tiles(op.n_out),
        (m_padded + EXAMPLES_PER_TASK - 1) // EXAMPLES_PER_TASK,
    )
    tile, end = static_partition(down * across, team.tid, team.n_threads)
    relu = 1 if op.code == RELU else 0
    while tile < end:
        column, o = divide(tile, down)
        j = column * EXAMPLES_PER_TASK
        count = min(TILES_PER_TASK, down - o, end - tile)
        n, o0, o1 = min(EXAMPLES_PER_TASK, m_padded - j), o * MR, min((o + count) * MR, op.n_out)
        tile += count
        dense.layer_outputs(
            kernel_ptrs, theta, DenseLayer(op.W, op.b, op.n_in, op.n_out), Slice(o0, o1),
            Matrix(buffer, ops[row - 1].A * ld + j, ld), Matrix(buffer, op.Z * ld + j, ld), n, relu,
        )  # fmt: skip
        if op.code != SOFTMAX and op.code != RELU and op.code != IDENTITY:
            activate(kernel_ptrs, op.code, Z, A, j, n, o0, o1, scratch)


@indirect("T Model i F2 F2 I1 i Phase Team", requires="elementwise")
def elementwise(kernel_ptrs, model, row, X, A, numbers, m_padded, phase, team):
    """A ← dropout of X, X + noise, or BatchNorm of X: op row `row` is DROPOUT, NOISE or BATCHNORM.

    X (n, ld): A of op row row − 1; A (n, ld) out, in columns j < m_padded; n: units. numbers (m,):
    of the m ≤ m_padded examples, from which random numbers are drawn. phase: a Phase.
    DROPOUT and NOISE copy X if phase.epoch < 0. BATCHNORM uses the running averages if phase.epoch
    is Mode.INFERENCE, else mean and variance of the batch, which it writes into model.state.
    """
    op, theta, state = model.ops[row], model.theta, model.state
    seed, epoch = phase
    for tile in range(team.tid, (op.n_out + UNITS_PER_TASK - 1) // UNITS_PER_TASK, team.n_threads):
        k0, k1 = tile * UNITS_PER_TASK, min(tile * UNITS_PER_TASK + UNITS_PER_TASK, op.n_out)
        if op.kind == BATCHNORM:
            n = op.n_out
            first = op.state if epoch == INFERENCE else op.state + 2 * n
            mean, variance = view(state, first, n), view(state, first + n, n)
            if epoch != INFERENCE:
                batchnorm.mean_and_variance(kernel_ptrs, X, numbers.size, mean, variance, k0, k1)
            gamma, beta = view(theta, op.W, n), view(theta, op.b, n)
            norm = BatchNorm(mean, variance, gamma, beta, op.offset)
            batchnorm.normalize(kernel_ptrs, X, m_padded, norm, A, k0, k1)
        else:
            drawn = numbers.size if epoch >= 0 else 0
            for k in range(k0, k1):
                for j in range(drawn, m_padded):
                    A[k, j] = X[k, j]
            if epoch >= 0 and op.kind == DROPOUT:
                drop_units(kernel_ptrs, X, A, numbers, k0, k1, op.rate, seed, op.layer, epoch)
            elif epoch >= 0:
                add_noise(kernel_ptrs, X, A, numbers, k0, k1, op.rate, seed, op.layer, epoch)


@indirect("T Model i Workspace X I1 I1 i Phase Team", requires="batch")
def forward_pass(kernel_ptrs, model, last, workspace, X, row_indices, numbers, repack, phase, team):
    """Compute Z and A (n_out, ld) of the op rows 1 … last, in the workspace, for X[row_indices].

    model: a Model; last: index of an op row; X: an Input; row_indices (m,): indices of examples;
    numbers (m,): theirs in the whole data, for random numbers; phase: a Phase. repack: 1, first
    copy the examples into the workspace as A of the INPUT op row; 0, they are there already. It is
    unused where the first layer reads X itself (ops[0].A < 0).
    """
    ops, (buffer, ld, offsets) = model.ops, workspace
    m_padded = _pad_examples(row_indices.size, buffer, phase)
    scratch = view_matrix(buffer, offsets.scratch, 3, ld)
    if ops[0].A >= 0 and repack != 0:
        _lay_out_input(kernel_ptrs, model, workspace, X, row_indices, team)
        barrier_wait(team)
    for row in range(1, last + 1):
        op = ops[row]
        A = view_matrix(buffer, op.A * ld, op.n_out, ld)
        Z = view_matrix(buffer, op.Z * ld, op.n_out, ld)
        before = view_matrix(buffer, ops[row - 1].A * ld, op.n_in, ld)
        if row == 1 and ops[0].A < 0:
            driver.first_layer_forward(kernel_ptrs, model, workspace, X, row_indices, team)
        elif op.kind == DENSE and op.precision == MIXED:
            mixed_outputs(kernel_ptrs, model, row, workspace, m_padded, team)
        elif op.kind == DENSE:
            _dense(kernel_ptrs, model, row, workspace, Z, A, m_padded, scratch, team)
        elif op.kind != ACTIVATION:
            elementwise(kernel_ptrs, model, row, before, A, numbers, m_padded, phase, team)
        elif team.tid == 0:
            activate(kernel_ptrs, op.code, before, A, 0, m_padded, 0, op.n_out, scratch)
        barrier_wait(team)
        if op.kind == DENSE and op.code == SOFTMAX:
            if team.tid == 0:
                activate(kernel_ptrs, op.code, Z, A, 0, m_padded, 0, op.n_out, scratch)
            barrier_wait(team)
