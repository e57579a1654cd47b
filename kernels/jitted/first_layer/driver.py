"""First layers that read the user's array: what they multiply, where it lies or block by block.

Where rows are long, a team shares their features out, on the way forward as on the way back, and
where their groups can be dealt evenly, its members get the same ones both times: two threads took
0.7 times as long for logistic regression on images so. Sums over groups of features are added up in
one order, whoever computed them.
"""

from __future__ import annotations

from ...opcodes import AS_IT_IS, Activation
from ..codegen.barrier import barrier_wait
from ..codegen.partition import pad_to_cache_lines, partition_cache_lines, static_partition
from ..codegen.pointers import fill_zero, view, view_matrix
from ..codegen.vnni import INT8_MR
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from ..gemm.epilogue import BETA_ONE, BETA_ZERO, EPILOGUE_NONE
from ..gemm.inner_product import multiply_inner
from ..gemm.microkernel import multiply_tiles
from ..ops.activations import activate
from ..records import Beta, Epilogue, FeatureGroup, Matrix, Operand
from . import csr_gemm, strategy, strided_gemm
from .scaled_gather import gather

SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)

BLOCK_NUMBERS = 48 * 1024  # numbers that a member reads and scales at a time: second-level cache
BLOCK_FEATURES = 528  # features of them: an odd count of cache lines, lest rows meet in few sets


@inlined
def read_block(kernel_ptrs, op, state, X, row_indices, k0, block):
    """Block (n, w) = features k0 … k0+w−1 of X[row_indices], scaled as the INPUT row says."""
    shift = view(state, op.state, op.stats)
    factor = view(state, op.state + op.stats, op.stats)
    rest = view(state, op.state + 2 * op.stats, op.stats)
    gather(kernel_ptrs, X, row_indices, k0, op.stats, shift, factor, rest, op.offset, block)


@inlined
def _forward_shares(ops, X, m, itemsize, team):
    """Return first and last + 1 output, first and last + 1 example of a thread: all of one kind."""
    n = ops[1].n_out
    if strategy.summed(X) and ops[0].A == AS_IT_IS:  # else every thread would quantize all weights
        first, last = static_partition((n + INT8_MR - 1) // INT8_MR, team.tid, team.n_threads)
        return first * INT8_MR, min(last * INT8_MR, n), 0, m
    first, last = partition_cache_lines(m, itemsize, team.tid, team.n_threads)
    return 0, n, first, last


@inlined
def _group_shares(groups, m, itemsize, team):
    """Return first and last + 1 group of features that a thread sums, and of examples.

    Where threads outnumber groups, several take examples of the same one.
    """
    tid, across = team.tid, team.n_threads // groups
    if across <= 1:
        first, last = static_partition(groups, tid, team.n_threads)
        return first, last, 0, m
    first, last = partition_cache_lines(m, itemsize, tid % across, across)
    return tid // across, min(tid // across + 1, groups), first, last


@indirect("T Model Workspace X I1 i i i i Team", requires="in place")
def _in_place(kernel_ptrs, model, workspace, X, row_indices, first, last, o0, o1, team):
    """Add to Z (n_out, ld) the products with X[row_indices]: a thread's groups or [first, last).

    o0, o1: first and last + 1 of the thread's outputs. Features are outermost: their weights stay
    in the cache while the examples pass.
    """
    op, (buffer, ld, offsets) = model.ops[1], workspace
    sums, size, z = offsets.group_sums, op.n_out * ld, (op.Z + o0) * ld + first
    groups = strategy.groups(op, X, (offsets.block_grad - sums) // size)
    grouped = groups > 0
    count = groups if grouped else min(1, (last - first) * (o1 - o0))
    begin, end, j0, j1 = 0, count, first, last
    if grouped:
        begin, end, j0, j1 = _group_shares(groups, row_indices.size, buffer.itemsize, team)
    own = view(row_indices, j0, j1 - j0)
    scratch = offsets.thread_base + team.tid * offsets.thread_size
    for group in range(begin, end):
        c = sums + group * size + j0 if grouped else z
        for o in range(op.n_out if grouped else 0):
            fill_zero(view(buffer, c + o * ld, j1 - j0))
        strategy.forward(
            kernel_ptrs, model, workspace, scratch, X, own, FeatureGroup(group, count), o0,
            o1 - o0, c,
        )  # fmt: skip
    if grouped:
        barrier_wait(team)
    for o in range(op.n_out if grouped else 0):
        total = view(buffer, z + o * ld, last - first)
        for group in range(groups):
            x = view(buffer, sums + group * size + o * ld + first, last - first)
            for j in range(total.size):
                total[j] += x[j]


@indirect("T Model Workspace i X I1 i", requires="by blocks")
def _by_blocks(kernel_ptrs, model, workspace, scratch, X, row_indices, z):
    """Add to Z (n_out, ld) at z the products with X[row_indices], read and scaled block by block.

    scratch: where a block may lie in the workspace.
    """
    op, buffer, tall = model.ops[1], workspace.buffer, BLOCK_NUMBERS // BLOCK_FEATURES
    for k in range(0, op.n_in, BLOCK_FEATURES):
        w = min(BLOCK_FEATURES, op.n_in - k)
        for j in range(0, row_indices.size, tall):
            n = min(tall, row_indices.size - j)
            block = view_matrix(buffer, scratch, n, w)
            read_block(kernel_ptrs, model.ops[0], model.state, X, view(row_indices, j, n), k, block)
            multiply_inner(
                kernel_ptrs, n, op.n_out, w, Matrix(buffer, scratch, w),
                Matrix(model.theta, op.W + k, op.n_in), Operand(buffer, z + j, 1, workspace.ld), 1,
            )  # fmt: skip


@indirect("T Model Workspace X I1 Team", requires="reading")
def forward(kernel_ptrs, model, workspace, X, row_indices, team):
    """Write Z and A (n_out, ld) of the first DENSE row from X[row_indices]."""
    (ops, theta, _), (buffer, ld, offsets) = model, workspace
    op, scratch = ops[1], offsets.thread_base + team.tid * offsets.thread_size
    Z, A = (
        view_matrix(buffer, op.Z * ld, op.n_out, ld),
        view_matrix(buffer, op.A * ld, op.n_out, ld),
    )
    o0, o1, first, last = _forward_shares(ops, X, row_indices.size, buffer.itemsize, team)
    own, z = view(row_indices, first, last - first), op.Z * ld + first
    for o in range(o0, o1):
        b = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
        for j in range(first, pad_to_cache_lines(last, buffer.itemsize)):
            Z[o, j] = b
    if csr_gemm.multiplies(ops[0], X):
        csr_gemm.forward(
            kernel_ptrs, X, own, op.n_out, op.n_in, theta, op.W, buffer, z, ld, scratch,
            BLOCK_NUMBERS,
        )  # fmt: skip
    elif not strided_gemm.marked(X):
        _by_blocks(kernel_ptrs, model, workspace, scratch, X, own, z)
    else:
        _in_place(kernel_ptrs, model, workspace, X, row_indices, first, last, o0, o1, team)
    if op.code != SOFTMAX and op.code != IDENTITY and last > first:
        n = pad_to_cache_lines(last, buffer.itemsize) - first
        activate(
            kernel_ptrs, op.code, Z, A, first, n, o0, o1,
            view_matrix(buffer, offsets.scratch, 3, ld),
        )  # fmt: skip


@indirect("T Model F1 Workspace i X I1 Team", requires="by blocks in training")
def _back_by_blocks(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """dW (n_out, n_in) from blocks of X[row_indices], read and scaled: threads take turns at them.

    dZ (n_out, ld) lies at dZ_offset in the workspace.
    """
    op, (buffer, ld, offsets) = model.ops[1], workspace
    scratch, tall = (
        offsets.thread_base + team.tid * offsets.thread_size,
        BLOCK_NUMBERS // BLOCK_FEATURES,
    )
    for tile in range(team.tid, (op.n_in + BLOCK_FEATURES - 1) // BLOCK_FEATURES, team.n_threads):
        k = tile * BLOCK_FEATURES
        w = min(BLOCK_FEATURES, op.n_in - k)
        for j in range(0, row_indices.size, tall):
            n = min(tall, row_indices.size - j)
            block = view_matrix(buffer, scratch, n, w)
            read_block(kernel_ptrs, model.ops[0], model.state, X, view(row_indices, j, n), k, block)
            multiply_tiles(
                kernel_ptrs, op.n_out, w, n, Operand(buffer, dZ_offset + j, ld, 1),
                Matrix(buffer, scratch, w), Matrix(grad, op.W + k, op.n_in),
                Beta(BETA_ZERO if j == 0 else BETA_ONE, grad, 0), Epilogue(EPILOGUE_NONE, 0, 1.0),
            )  # fmt: skip


@indirect("T Model F1 Workspace i X I1 Team", requires="reading in training")
def backward(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """dW of the first DENSE row from its dZ (n_out, ld) at dZ_offset and X[row_indices]."""
    op, (buffer, ld, offsets) = model.ops[1], workspace
    if csr_gemm.multiplies(model.ops[0], X):
        csr_gemm.backward(
            kernel_ptrs, X, row_indices, op.n_out, op.n_in, buffer, dZ_offset, ld, grad, op.W,
            offsets.thread_base + team.tid * offsets.thread_size, BLOCK_NUMBERS, team,
        )  # fmt: skip
    elif strided_gemm.marked(X):
        strategy.backward(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team)
    else:
        _back_by_blocks(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team)
