"""The gradient of a step: of its whole batch at once, or block by block.

All threads of a team call a function at once. A large batch is cut into blocks of examples, whose
activations stay in the second-level cache: a block goes through all layers and back before the next
begins. The batch of a small network is cut into groups of blocks, each computed by one thread.
"""

from __future__ import annotations

import numpy as np

from ...records import Batch
from ..codegen.barrier import barrier_wait
from ..codegen.partition import pad_to_cache_lines, static_partition
from ..codegen.pointers import fill_zero, view, view_matrix, view_row
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from ..ops.losses import cost_and_hits
from ..records import Team, Workspace
from .backward import backward_pass
from .forward import DENSE, forward_pass

CHUNK = 4096  # parameters that a thread treats before the next: they fit the first-level cache


@inlined
def _lay_out_targets(targets, weights, loss, batch, total):
    """targets[k, j] = Y[row_indices[j], k]; weights[0, j] = w[row_indices[j]] / total; [1, j] = w.

    targets (K, ld) and weights (2, ld) are written, with 0 in columns beyond the batch. loss: the
    LOSS op row; batch: Y, w and row_indices are read; total: Σ w of the batch, or of the whole one
    if this batch is a block. If it is 0, weights[0] is 0.
    """
    _, Y, w, row_indices = batch
    number = targets.dtype.type
    m, m_padded = row_indices.size, pad_to_cache_lines(row_indices.size, targets.itemsize)
    for k in range(loss.n_in):
        target = view_row(targets, k, 0, m_padded)
        for j in range(m):
            target[j] = Y[row_indices[j], k]
        fill_zero(view(target, m, m_padded - m))
    share, own = view_row(weights, 0, 0, m_padded), view_row(weights, 1, 0, m_padded)
    for j in range(m):
        own[j] = w[row_indices[j]]
    for j in range(m):  # apart from the loop above, whose gathers LLVM does not vectorise
        share[j] = number(np.float64(own[j]) / total) if total > 0 else number(0)
    fill_zero(view(share, m, m_padded - m))
    fill_zero(view(own, m, m_padded - m))


@inlined
def total_weight(w, row_indices):
    """Return Σⱼ w[row_indices[j]], summed in float64."""
    total = 0.0
    for j in range(row_indices.size):
        total += np.float64(w[row_indices[j]])
    return total


@indirect("T O Workspace Batch i f D1", requires="cost")
def loss_and_output_grad(kernel_ptrs, ops, workspace, batch, repack, total, loss_hits):
    """Write loss_hits = (Σ w ℓ / total, Σ w of right examples), and dA, the gradient of the cost.

    The cost is loss_hits[0]. dA (K, ld), with respect to the A that the LOSS op row reads, is
    written into the workspace, 0 beyond the batch. total: Σ w of the whole batch, of which this one
    may be a block.
    repack: 1 to lay targets and weights out first, 0 if the workspace holds them already.
    """
    loss, (buffer, ld, offsets) = ops[ops.size - 1], workspace
    m = batch.row_indices.size
    A = view_matrix(buffer, ops[loss.source].A * ld, loss.n_in, ld)
    dA = view_matrix(
        buffer, offsets.output_grads + loss.source % 2 * offsets.output_grads_stride, loss.n_in, ld
    )
    scratch = view_matrix(buffer, offsets.scratch, 3, ld)
    targets = view_matrix(buffer, offsets.targets, loss.n_in, ld)
    weights = view_matrix(buffer, offsets.weights, 2, ld)
    if repack != 0:
        _lay_out_targets(targets, weights, loss, batch, total)
    cost_and_hits(
        kernel_ptrs, loss.code, loss.code, loss.rate, A, targets, weights, m, dA, scratch,
        loss_hits,
    )  # fmt: skip
    for k in range(loss.n_in):
        fill_zero(view_row(dA, k, m, pad_to_cache_lines(m, buffer.itemsize) - m))


@indirect("T Model F1 Workspace Batch i f Phase D1 Team", requires="training")
def block_gradient(
    kernel_ptrs, model, grad, workspace, batch, repack, total, phase, loss_hits, team
):
    """Write loss_hits = (Σ w ℓ / total, Σ w of right examples) of a block, and grad (p,).

    grad is the gradient of loss_hits[0]. batch: the examples of the block; total: Σ w of the whole
    batch, which may be a single block. repack: 1 to lay input, targets and weights out first, 0 if
    the workspace holds them already.
    """
    last = model.ops[model.ops.size - 1].source
    X, row_indices = batch.X, batch.row_indices
    forward_pass(kernel_ptrs, model, last, workspace, X, row_indices, repack, phase, team)
    if team.tid == 0:
        loss_and_output_grad(kernel_ptrs, model.ops, workspace, batch, repack, total, loss_hits)
    barrier_wait(team)
    backward_pass(kernel_ptrs, model, last, grad, workspace, X, row_indices, phase.epoch, team)


@inlined
def _add(y, x, team):
    """y += x, cut into chunks of CHUNK numbers that the team shares out.   x, y (p,)."""
    for i in range(team.tid * CHUNK, y.size, team.n_threads * CHUNK):
        n = min(CHUNK, y.size - i)
        total, other = view(y, i, n), view(x, i, n)
        for k in range(n):
            total[k] += other[k]


@inlined
def _sum_groups(buffer, groups, stride, grad, team):
    """grad[i] = Σ buffer[group · stride + i] over the groups, added in their order.   grad (p,).

    stride: numbers from the gradient (p,) of a group to that of the next one.
    """
    for i in range(team.tid * CHUNK, grad.size, team.n_threads * CHUNK):
        n = min(CHUNK, grad.size - i)
        y = view(grad, i, n)
        for group in range(groups):
            x = view(buffer, group * stride + i, n)
            for k in range(n if group == 0 else 0):
                y[k] = x[k]
            for k in range(n if group > 0 else 0):
                y[k] += x[k]


@inlined
def _clear_gaps(ops, x):
    """Write 0 into the gaps between the parameters of x (p,), a gradient that is added up whole.

    A gap fills the last cache line behind the weights and behind the biases of a DENSE op row.
    """
    for i in range(1, ops.size - 1):
        op = ops[i]
        if op.kind == DENSE:
            n, o = op.n_in * op.n_out, op.n_out
            fill_zero(view(x, op.W + n, pad_to_cache_lines(n, x.itemsize) - n))
            fill_zero(view(x, op.b + o, pad_to_cache_lines(o, x.itemsize) - o if op.b >= 0 else 0))


@inlined
def group_gradient(kernel_ptrs, model, summed, workspace, batch, total, phase, loss_hits, team):
    """Write loss_hits = (Σ w ℓ / total, Σ w of right examples) of a group, and summed (p,).

    summed is the gradient of loss_hits[0], 0 for a group without examples. batch: the examples of
    the group, taken block by block; total: Σ w of the whole batch.
    """
    buffer, _, offsets = workspace
    X, Y, w, row_indices = batch
    block_grad, cost, hits = view(buffer, offsets.block_grad, summed.size), 0.0, 0.0
    if row_indices.size == 0:
        fill_zero(summed)
    for j in range(0, row_indices.size, offsets.block_examples):
        n = min(offsets.block_examples, row_indices.size - j)
        block_gradient(
            kernel_ptrs, model, summed if j == 0 else block_grad, workspace,
            Batch(X, Y, w, view(row_indices, j, n)), 1, total, phase, loss_hits, team,
        )  # fmt: skip
        if j > 0:
            _add(summed, block_grad, team)
        if team.tid == 0:
            cost, hits = cost + loss_hits[0], hits + loss_hits[1]
    if team.tid == 0:
        loss_hits[0], loss_hits[1] = cost, hits


@indirect("T Model F1 Workspace Batch f Phase D2 Team", requires="blocks")
def blocked_gradient(kernel_ptrs, model, grad, workspace, batch, total, phase, group_losses, team):
    """Write group_losses (groups, 2) = (Σ w ℓ / total, Σ w of right examples), and grad (p,).

    grad is the gradient of the summed costs; total: Σ w of the whole batch. If there is one group,
    the team works together on each of its blocks. Several groups are shared out, and a thread
    computes a group alone; their gradients, stored from the start of the buffer on, are added up in
    the end. A single thread adds each gradient as soon as it is computed.
    """
    buffer, ld, offsets = workspace
    X, Y, w, row_indices = batch
    groups, stride = group_losses.shape[0], offsets.thread_base - offsets.block_grad
    if groups == 1:
        group_gradient(
            kernel_ptrs, model, grad, workspace, batch, total, phase,
            view_row(group_losses, 0, 0, 2), team,
        )  # fmt: skip
        barrier_wait(team)
        return
    tid, n_threads = team.tid, team.n_threads
    length = offsets.thread_base + offsets.thread_size
    own = Workspace(view(buffer, groups * stride + tid * length, length), ld, offsets)
    alone = Team(team.barrier, 0, 1)
    _clear_gaps(model.ops, view(own.buffer, offsets.block_grad, grad.size))
    size = offsets.block_examples
    blocks = (row_indices.size + size - 1) // size
    # A thread takes consecutive groups: a short batch leaves some empty, evenly among the others.
    begin, end = static_partition(groups, tid, n_threads)
    for group in range(begin, end):
        direct = n_threads == 1 and group == 0
        offset = 0 if n_threads == 1 else group * stride
        summed = grad if direct else view(buffer, offset, grad.size)
        _clear_gaps(model.ops, summed)
        i = blocks * group // groups * size
        n = min(blocks * (group + 1) // groups * size, row_indices.size) - i
        group_gradient(
            kernel_ptrs, model, summed, own, Batch(X, Y, w, view(row_indices, i, n)), total, phase,
            view_row(group_losses, group, 0, 2), alone,
        )  # fmt: skip
        if n_threads == 1 and group > 0:
            _add(grad, summed, alone)
    if n_threads > 1:
        barrier_wait(team)
        _sum_groups(buffer, groups, stride, grad, team)
        barrier_wait(team)


@indirect("T Model F1 Workspace Batch i Phase D2 D1 Team", requires="training")
def batch_gradient(
    kernel_ptrs, model, grad, workspace, batch, repack, phase, group_losses, step_log, team
):
    """Write step_log = (Σ w ℓ / Σ w, Σ w of right examples, Σ w) of a batch, and grad (p,).

    grad is the gradient of the first, without a penalty; if Σ w is 0, step_log is 0 and grad stays.
    repack: 1 to lay the batch out first, 0 if the workspace holds it already and step_log[2] is
    Σ w. group_losses (groups, 2): scratch; (0, 2) if the batch is not cut into blocks.
    """
    total = total_weight(batch.w, batch.row_indices) if repack != 0 else step_log[2]
    if total == 0:
        if team.tid == 0:
            for i in range(3):
                step_log[i] = 0
        barrier_wait(team)
        return
    if team.tid == 0:
        step_log[2] = total
    if group_losses.shape[0] == 0:
        block_gradient(
            kernel_ptrs, model, grad, workspace, batch, repack, total, phase, step_log, team
        )
    else:
        blocked_gradient(
            kernel_ptrs, model, grad, workspace, batch, total, phase, group_losses, team
        )
    if team.tid == 0:
        for group in range(group_losses.shape[0]):
            for i in range(2):
                step_log[i] = group_losses[group, i] + (step_log[i] if group > 0 else 0.0)
