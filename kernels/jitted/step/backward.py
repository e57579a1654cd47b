"""The backward pass through the op rows of a network, cut into tasks that a team shares out.

All threads of a team call a function at once and each executes its own tasks. Matrices are (n, ld):
a row for each unit, a column for each example; dZ is 0 in columns beyond the batch. The pass reads
the Z and A that `forward.py` wrote into the workspace.
"""

from __future__ import annotations

from ..codegen.barrier import barrier_wait
from ..codegen.partition import divide, pad_to_cache_lines, static_partition
from ..codegen.pointers import view, view_matrix
from ..compiler.definitions import indirect
from ..compiler.jit import inlined
from ..first_layer import driver
from ..gemm.epilogue import EPILOGUE_NONE, EPILOGUE_RELU_GRAD
from ..gemm.microkernel import MR, NR_MAX
from ..ops import batchnorm, dense
from ..ops.activations import derive
from ..ops.random import drop_back
from ..records import BatchNorm, DenseLayer, Epilogue, Matrix, Slice
from .forward import (
    ACTIVATION,
    BATCHNORM,
    DENSE,
    DROPOUT,
    EXAMPLES_PER_TASK,
    IDENTITY,
    MIXED,
    SOFTMAX,
    TILES_PER_TASK,
    UNITS_PER_TASK,
    n_row_tiles,
)
from .fusion import relu_rows_below
from .mixed_products import mixed_input_gradient, mixed_weight_gradient

FEATURES_PER_TASK = NR_MAX  # columns of dW (features of the layer's input) in a task, at most
#: Numbers of dZ in a band of units, for which all of dW is computed before the next band: 512 KB in
#: float32, which stay in the cache; a band has at least TILES_PER_TASK tiles. Layers 2048 → 2048
#: ran at 142 GFLOP/s without bands, 147 with (Xeon, batches of 256).
DZ_NUMBERS = 128 * 1024

_relu_rows_below = inlined(relu_rows_below)


@inlined
def _weight_gradient(kernel_ptrs, ops, row, grad, workspace, dZ_offset, m, team):
    """dW[o, k] ← Σⱼ dZ[o, j] A[k, j] over examples j < m: the gradient of W of DENSE op row `row`.

    ops (rows,): the op table. dW (n_out, n_in) out, in grad (p,) from element op.W on. dZ
    (n_out, ld) lies in the workspace from element dZ_offset on; A (n_in, ld): that of op row
    row − 1. Units are cut into bands of consecutive units; the dZ of one band stays in the cache
    while dW is computed for all features k. A thread writes mostly rows of dW whose weights it
    changes later, in `update.py`.
    """
    op, (buffer, ld, offsets) = ops[row], workspace
    if op.precision == MIXED:
        mixed_weight_gradient(kernel_ptrs, ops, row, grad, workspace, dZ_offset, m, team)
        return
    packed = offsets.thread_base + team.tid * offsets.thread_size
    down, across = (
        n_row_tiles(op.n_out),
        (op.n_in + FEATURES_PER_TASK - 1) // FEATURES_PER_TASK,
    )
    tile, end = static_partition(down * across, team.tid, team.n_threads)
    band, _ = divide(down + team.n_threads - 1, team.n_threads)
    if band > TILES_PER_TASK:
        band = min(band, max(DZ_NUMBERS // (MR * ld), TILES_PER_TASK))
    while tile < end:
        number, inside = divide(tile, band * across)
        top = number * band
        height = min(band, down - top)
        column, o = divide(inside, height)
        k, o = column * FEATURES_PER_TASK, top + o
        count = min(top + height - o, end - tile)
        dense.weight_gradient(
            kernel_ptrs, grad, DenseLayer(op.W, op.b, op.n_in, op.n_out),
            Slice(o * MR, min((o + count) * MR, op.n_out)),
            Slice(k, min(k + FEATURES_PER_TASK, op.n_in)),
            Matrix(buffer, dZ_offset, ld), Matrix(buffer, ops[row - 1].A * ld, ld), m,
            buffer, packed,
        )  # fmt: skip
        tile += count


@inlined
def _input_gradient(
    kernel_ptrs, model, row, workspace, dZ_offset, dA_offset, m_padded, fused, epoch, team
):
    """dA[k, j] ← Σᵢ W[i, k] dZ[i, j] for j < m_padded: gradient by the input of DENSE op row `row`.

    dA (n_in, ld) out, in the workspace from element dA_offset on; dZ (n_out, ld), read, from
    element dZ_offset on. fused: a bool. If True, op row row − 1 is relu, or dropout over relu, and
    the dZ of that relu is stored instead: dA · scale where A of op row row − 1 is positive, else 0.
    scale = 1 / (1 − rate) if op row row − 1 is DROPOUT and epoch ≥ 0, else 1.
    """
    op, below = model.ops[row], model.ops[row - 1]
    buffer, ld, offsets = workspace
    packed = offsets.thread_base + team.tid * offsets.thread_size
    kind = EPILOGUE_RELU_GRAD if fused else EPILOGUE_NONE
    scale = 1 / (1 - below.rate) if below.kind == DROPOUT and epoch >= 0 else 1.0
    if op.precision == MIXED:
        epilogue = Epilogue(kind, below.A * ld if fused else 0, scale)
        dA = Matrix(buffer, dA_offset, ld)
        mixed_input_gradient(
            kernel_ptrs, model, row, workspace, dZ_offset, dA, epilogue, m_padded, team
        )
        return
    down, across = n_row_tiles(op.n_in), (m_padded + EXAMPLES_PER_TASK - 1) // EXAMPLES_PER_TASK
    tile, end = static_partition(down * across, team.tid, team.n_threads)
    while tile < end:
        column, i = divide(tile, down)
        j = column * EXAMPLES_PER_TASK
        count = min(TILES_PER_TASK, down - i, end - tile)
        dense.input_gradient(
            kernel_ptrs, model.theta, DenseLayer(op.W, op.b, op.n_in, op.n_out),
            Slice(i * MR, min((i + count) * MR, op.n_in)),
            Matrix(buffer, dZ_offset + j, ld), Matrix(buffer, dA_offset + j, ld),
            min(EXAMPLES_PER_TASK, m_padded - j),
            Epilogue(kind, below.A * ld + j if fused else 0, scale), buffer, packed,
        )  # fmt: skip
        tile += count


@inlined
def _output_gradient(kernel_ptrs, op, grad, workspace, A, dA, m, m_padded, derived, team):
    """dZ[o, j] ← dA[o, j] g'(Z[o, j]), in place of dA, and db[o] ← Σⱼ dZ[o, j], of a DENSE op row.

    op: the op row; A = g(Z) and dA are (n_out, ld), views of the workspace; Z lies there too. dZ is
    written for columns j < m_padded; db sums the m examples and is (n_out,), in grad (p,) from
    element op.b on, none if op.b < 0. derived: a bool; True: dA holds dZ already, only db is
    written.
    """
    buffer, ld, offsets = workspace
    Z = view_matrix(buffer, op.Z * ld, op.n_out, ld)
    scratch = view_matrix(buffer, offsets.scratch, 3, ld)
    if op.code == SOFTMAX:
        if team.tid == 0:
            derive(kernel_ptrs, op.code, dA, Z, A, dA, m_padded, 0, op.n_out, scratch)
        barrier_wait(team)
    tiles = (op.n_out + UNITS_PER_TASK - 1) // UNITS_PER_TASK
    first, last = static_partition(tiles, team.tid, team.n_threads)
    for tile in range(first, last):
        o0, o1 = tile * UNITS_PER_TASK, min(tile * UNITS_PER_TASK + UNITS_PER_TASK, op.n_out)
        if op.code != SOFTMAX and op.code != IDENTITY and not derived:
            derive(kernel_ptrs, op.code, dA, Z, A, dA, m_padded, o0, o1, scratch)
        if op.b >= 0:
            dense.bias_gradient(kernel_ptrs, dA, m, view(grad, op.b, op.n_out), o0, o1)
    if not derived:
        barrier_wait(team)


@indirect("T Model i F1 Workspace i i i i Team", requires="elementwise in training")
def back_elementwise(
    kernel_ptrs, model, row, grad, workspace, dA_offset, dX_offset, m, epoch, team
):
    """dX ← gradient by the input X of op row `row`, DROPOUT, NOISE or BATCHNORM, from its dA.

    dA (n, ld), read, and dX (n, ld) out lie in the workspace from elements dA_offset and dX_offset
    on; n: units. m: examples of the batch. NOISE copies dA; DROPOUT copies it if epoch < 0, else it
    multiplies dA by 1 / (1 − rate) where the unit was kept and by 0 elsewhere.
    BATCHNORM also writes dγ and dβ (n,) into grad (p,), from elements op.W and op.b on.
    """
    (ops, theta, state), (buffer, ld, _) = model, workspace
    op = ops[row]
    X = view_matrix(buffer, ops[row - 1].A * ld, op.n_in, ld)
    A = view_matrix(buffer, op.A * ld, op.n_out, ld)
    dA = view_matrix(buffer, dA_offset, op.n_out, ld)
    dX = view_matrix(buffer, dX_offset, op.n_in, ld)
    m_padded = pad_to_cache_lines(m, theta.itemsize)
    for tile in range(team.tid, (op.n_out + UNITS_PER_TASK - 1) // UNITS_PER_TASK, team.n_threads):
        k0, k1 = tile * UNITS_PER_TASK, min(tile * UNITS_PER_TASK + UNITS_PER_TASK, op.n_out)
        if op.kind == BATCHNORM:
            n = op.n_out
            mean, variance = view(state, op.state + 2 * n, n), view(state, op.state + 3 * n, n)
            gamma, beta = view(theta, op.W, n), view(theta, op.b, n)
            batchnorm.differentiate(
                kernel_ptrs, X, m, m_padded, BatchNorm(mean, variance, gamma, beta, op.offset),
                dA, dX, view(grad, op.W, n), view(grad, op.b, n), k0, k1,
            )  # fmt: skip
        else:
            drawn = m if op.kind == DROPOUT and epoch >= 0 else 0
            for k in range(k0, k1):
                for j in range(drawn, m_padded):
                    dX[k, j] = dA[k, j]
            if drawn > 0:
                drop_back(kernel_ptrs, A, dA, dX, drawn, k0, k1, op.rate)


@indirect("T Model i F1 Workspace X I1 i Team", requires="training")
def backward_pass(kernel_ptrs, model, last, grad, workspace, X, row_indices, epoch, team):
    """Write the gradients of all parameters of the op rows last … 1 into grad (p,).

    last: index of an op row. Before the call, dA (n_out, ld) of that op row lies in the first
    buffer of `output_grads` if `last` is even, in the second if it is odd. X: an Input, which the
    first layer may read again; row_indices (m,): indices of the batch's examples in X. epoch: the
    epoch, negative if the forward pass drew no dropout. The forward pass has left Z and A in the
    workspace.
    """
    ops, (buffer, ld, offsets) = model.ops, workspace
    m, m_padded = row_indices.size, pad_to_cache_lines(row_indices.size, buffer.itemsize)
    row, side, derived = last, last % 2, False
    while row > 0:
        op, passed = ops[row], 1  # passed: how many op rows this turn completes
        dA_offset = offsets.output_grads + side * offsets.output_grads_stride
        dX_offset = offsets.output_grads + (1 - side) * offsets.output_grads_stride
        dA = view_matrix(buffer, dA_offset, op.n_out, ld)
        dX = view_matrix(buffer, dX_offset, op.n_in, ld)
        X_row = view_matrix(buffer, ops[row - 1].A * ld, op.n_in, ld)
        A = view_matrix(buffer, op.A * ld, op.n_out, ld)
        if op.kind == DENSE:
            fused = _relu_rows_below(ops, row)
            _output_gradient(kernel_ptrs, op, grad, workspace, A, dA, m, m_padded, derived, team)
            if row == 1 and ops[0].A < 0:
                driver.first_layer_backward(
                    kernel_ptrs, model, grad, workspace, dA_offset, X, row_indices, team
                )
            else:
                _weight_gradient(kernel_ptrs, ops, row, grad, workspace, dA_offset, m, team)
                if row > 1:
                    _input_gradient(
                        kernel_ptrs, model, row, workspace, dA_offset, dX_offset, m_padded,
                        fused > 0, epoch, team,
                    )  # fmt: skip
            passed, derived = max(fused, 1), fused > 0
        elif op.kind != ACTIVATION:
            back_elementwise(
                kernel_ptrs, model, row, grad, workspace, dA_offset, dX_offset, m, epoch, team
            )
        elif team.tid == 0:
            scratch = view_matrix(buffer, offsets.scratch, 3, ld)
            derive(kernel_ptrs, op.code, dA, X_row, A, dX, m_padded, 0, op.n_out, scratch)
        barrier_wait(team)
        row, side = row - passed, 1 - side
