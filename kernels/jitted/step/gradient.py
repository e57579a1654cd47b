"""The gradient of a step: of its whole batch, or block by block.

Every thread of a team calls these functions. A large batch is cut into
blocks of examples, whose activations stay in the second-level cache: a block goes through all
layers and back before the next begins. The batch of a small network is cut into groups of blocks,
each computed by one thread. ℓ is the loss of an example; loss_hits is float64, and its elements 0
and 1 are written: cost and hits.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Loss
from ...records import Batch
from ..codegen.barrier import barrier_wait
from ..codegen.partition import pad_to_cache_lines, static_partition
from ..codegen.pointers import fill_zero, unsigned, view, view_matrix, view_row
from ..compiler.definitions import indirect
from ..compiler.jit import inlined
from ..ops.losses import cost_and_hits
from ..records import Team, Workspace
from .backward import backward_pass
from .forward import DENSE, forward_pass

CUSTOM_LOSS = len(Loss)  # entry of `cost_and_hits` for custom losses
CHUNK = 4096  # parameters that a thread treats before the next: they fit the first-level cache


@inlined
def _lay_out_targets(targets, weights, loss, batch, total):
    """targets[k, j] ← Y[i, k], weights[:, j] ← (w[i] / total, w[i]), where i = row_indices[j].

    targets (K, ld) and weights (2, ld) out; columns from the m examples up to m_padded become 0.
    loss: the LOSS op row, whose n_in is K; batch: a Batch, whose X is unused. total: Σ w over the
    whole batch, of which this one may be a block; if it is 0, weights[0] is 0.
    """
    _, Y, w, row_indices, _ = batch
    number = targets.dtype.type
    m, m_padded = row_indices.size, pad_to_cache_lines(row_indices.size, targets.itemsize)
    for k in range(loss.n_in):
        target = view_row(targets, k, 0, m_padded)
        for j in range(m):
            target[j] = Y[unsigned(row_indices[j]), k]
        fill_zero(view(target, m, m_padded - m))
    share, own = view_row(weights, 0, 0, m_padded), view_row(weights, 1, 0, m_padded)
    for j in range(m):
        own[j] = w[unsigned(row_indices[j])]
    for j in range(m):  # apart from the loop above, whose gathers LLVM does not vectorise
        share[j] = number(np.float64(own[j]) / total) if total > 0 else number(0)
    fill_zero(view(share, m, m_padded - m))
    fill_zero(view(own, m, m_padded - m))


@inlined
def total_weight(w, row_indices):
    """Return Σⱼ w[row_indices[j]] in float64.   w: weights of all examples; row_indices (m,)."""
    total = 0.0
    for j in range(row_indices.size):
        total += np.float64(w[unsigned(row_indices[j])])
    return total


@indirect("T O Workspace Batch i f D1", requires="cost")
def loss_and_output_grad(kernel_ptrs, ops, workspace, batch, repack, total, loss_hits):
    """loss_hits ← (Σ w ℓ / total, hits) of the batch; dA ← gradient of the first by the outputs A.

    batch: a Batch of m examples; its X is unused. A, dA (K, ld) lie in the workspace: A is that of
    op row `source` of the LOSS op row; dA is written, with 0 from column m on. total: Σ w of the
    whole batch, of which this one may be a block. loss_hits: float64, elements 0 and 1 out. repack:
    1, first copy Y and w into the workspace; 0, they are there already. One thread calls this.
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
        kernel_ptrs, min(loss.code, CUSTOM_LOSS), loss.code, loss.rate, A, targets, weights, m, dA,
        scratch, loss_hits,
    )  # fmt: skip
    for k in range(loss.n_in):
        fill_zero(view_row(dA, k, m, pad_to_cache_lines(m, buffer.itemsize) - m))


@inlined
def block_gradient(
    kernel_ptrs, model, grad, workspace, batch, repack, total, phase, loss_hits, team
):
    """loss_hits ← (Σ w ℓ / total, hits) of a block of examples; grad (p,) ← gradient of the first.

    batch: a Batch, the examples of the block; total: Σ w of the whole batch, which may be this
    block alone. loss_hits: float64, elements 0 and 1 out. repack: 1, first copy X, Y and w into the
    workspace; 0, they are there already. phase: a Phase.
    """
    last = model.ops[model.ops.size - 1].source
    X, _, _, row_indices, numbers = batch
    forward_pass(kernel_ptrs, model, last, workspace, X, row_indices, numbers, repack, phase, team)
    if team.tid == 0:
        loss_and_output_grad(kernel_ptrs, model.ops, workspace, batch, repack, total, loss_hits)
    barrier_wait(team)
    backward_pass(kernel_ptrs, model, last, grad, workspace, X, row_indices, phase.epoch, team)


@inlined
def add_vector(y, x, team):
    """y[i] ← y[i] + x[i] for all i.   x, y (p,). Threads take chunks of CHUNK numbers in turn."""
    for i in range(team.tid * CHUNK, y.size, team.n_threads * CHUNK):
        n = min(CHUNK, y.size - i)
        total, other = view(y, i, n), view(x, i, n)
        for k in range(n):
            total[k] += other[k]


@inlined
def _sum_groups(buffer, groups, stride, grad, team):
    """grad[i] ← Σ over g < groups of buffer[g · stride + i], in the order of g.   grad (p,) out.

    buffer: holds one gradient (p,) for each of `groups` groups of examples; stride: numbers from
    the start of one gradient to the start of the next. Threads take chunks of CHUNK numbers.
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
    """x[i] ← 0 in the gaps between the parameters.   x (p,): a gradient; ops (rows,): the op table.

    A gap is what W, or b, of a DENSE op row leaves free of its last cache line. Sums of gradients
    add whole vectors, gaps included.
    """
    for i in range(1, ops.size - 1):
        op = ops[i]
        if op.kind == DENSE:
            n, o = op.n_in * op.n_out, op.n_out
            fill_zero(view(x, op.W + n, pad_to_cache_lines(n, x.itemsize) - n))
            fill_zero(view(x, op.b + o, pad_to_cache_lines(o, x.itemsize) - o if op.b >= 0 else 0))


@inlined
def group_gradient(kernel_ptrs, model, summed, workspace, batch, total, phase, loss_hits, team):
    """summed (p,) ← gradient of the cost Σ w ℓ / total of a group; loss_hits ← (cost, hits).

    Σ and hits run over the group's examples, ℓ is the loss of one. batch: a Batch, these examples,
    computed in blocks of offsets.block_examples; if it is empty, summed becomes 0. total: Σ w of
    the whole batch. loss_hits: float64, elements 0 and 1 out. phase: a Phase.
    """
    buffer, _, offsets = workspace
    X, Y, w, row_indices, numbers = batch
    block_grad, cost, hits = view(buffer, offsets.block_grad, summed.size), 0.0, 0.0
    if row_indices.size == 0:
        fill_zero(summed)
    for j in range(0, row_indices.size, offsets.block_examples):
        n = min(offsets.block_examples, row_indices.size - j)
        block_gradient(
            kernel_ptrs, model, summed if j == 0 else block_grad, workspace,
            Batch(X, Y, w, view(row_indices, j, n), view(numbers, j, n)), 1, total, phase,
            loss_hits, team,
        )  # fmt: skip
        if j > 0:
            add_vector(summed, block_grad, team)
        if team.tid == 0:
            cost, hits = cost + loss_hits[0], hits + loss_hits[1]
    if team.tid == 0:
        loss_hits[0], loss_hits[1] = cost, hits


@indirect("T Model F1 Workspace Batch f Phase D2 Team", requires="blocks")
def blocked_gradient(kernel_ptrs, model, grad, workspace, batch, total, phase, group_losses, team):
    """group_losses[g] ← (Σ w ℓ / total, hits) of group g; grad ← gradient of Σ group_losses[:, 0].

    batch: a Batch, which is cut into group_losses.shape[0] groups of blocks of examples; total: Σ w
    of the batch; phase: a Phase; group_losses (groups, 2), float64, and grad (p,) are written. One
    group: the team works together on each of its blocks. Several: a thread computes a group alone.
    The gradients of the groups lie one behind the next from the start of the buffer, until the team
    adds them in the order of g; a single thread adds each as soon as it is computed.
    """
    buffer, ld, offsets = workspace
    X, Y, w, row_indices, numbers = batch
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
            kernel_ptrs, model, summed, own,
            Batch(X, Y, w, view(row_indices, i, n), view(numbers, i, n)), total, phase,
            view_row(group_losses, group, 0, 2), alone,
        )  # fmt: skip
        if n_threads == 1 and group > 0:
            add_vector(grad, summed, alone)
    if n_threads > 1:
        barrier_wait(team)
        _sum_groups(buffer, groups, stride, grad, team)
        barrier_wait(team)


@indirect("T Model F1 Workspace Batch i Phase D2 D1 Team", requires="training", entrance=True)
def batch_gradient(
    kernel_ptrs, model, grad, workspace, batch, repack, phase, group_losses, step_log, team
):
    """step_log ← (Σ w ℓ / Σ w, hits, Σ w) of a batch; grad (p,) ← gradient of the first.

    The penalty is not included. If Σ w is 0, step_log becomes 0 and grad is not written. batch: a
    Batch; phase: a Phase; step_log (3,): float64. repack: 1, first copy the batch into the
    workspace; 0, it is there already, and step_log[2] holds its Σ w. group_losses (groups, 2):
    scratch for each group's cost and hits; (0, 2) if the batch is not cut into blocks.
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
