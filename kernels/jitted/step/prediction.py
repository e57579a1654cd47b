"""Prediction of a batch, block by block of examples: by a team, or dealt out to helpers.

`kernels/interpreter.py` is the specification. A row does not depend on its neighbours: whoever
computes it, and in a block of whatever size, it gets the same bits.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Activation, Mode
from ..codegen.atomics import atomic_load, exchange, fetch_add, pause, yield_core
from ..codegen.barrier import back_off, barrier_wait, next_chunk
from ..codegen.kept_records import load_record, store_record
from ..codegen.partition import pad_to_cache_lines, static_partition
from ..codegen.pointers import view, view_matrix
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined, kernel
from ..gemm.packing import lane_count
from ..ops.activations import activate
from ..ops.optimizers import largest
from ..records import NEXT_CHUNK, BlockJob, Phase, Team, Workspace
from ..threads.helpers import (
    AWAKE,
    ENDED,
    IDLE_POLLS,
    JOB,
    MIN_PIECE,
    MUST_END,
    N_THREADS,
    SEATS,
    TAKEN,
)
from .forward import forward_pass

POLLS_PER_YIELD = 32  # polls of a helper, one of which yields the core: about 1 µs
INFERENCE, SIGMOID = int(Mode.INFERENCE), int(Activation.SIGMOID)


@inlined
def _all_finite(op, workspace, m, team):
    """Return a bool: is the part of A[:, :m] finite that this thread of the team searches?

    op: the INPUT op row; its A (n, ld) lies in the workspace. m: number of examples. Columns from m
    up to the end of m's cache line hold zeros or copies of an example; so where no others follow,
    A is searched in one sweep, and rows of 16 take a third of the time.
    """
    buffer, ld = workspace.buffer, workspace.ld
    if pad_to_cache_lines(m, buffer.itemsize) == ld:
        first, last = static_partition(op.n_out * ld, team.tid, team.n_threads)
        return largest(view(buffer, op.A * ld + first, last - first)) < np.inf
    top = 0.0
    for k in range(team.tid, op.n_out, team.n_threads):
        top = max(top, largest(view(buffer, (op.A + k) * ld, m)))
    return top < np.inf


@inlined
def _both_probabilities(kernel_ptrs, ops, last, workspace, first, m, out):
    """out[first + j] ← (σ(−z[j]), σ(z[j])) for j < m: the probabilities of two classes.

    out (examples, 2); m: examples of this block; first: row of out for the first of them. last:
    index of an op row, a sigmoid of one unit: its A (1, ld) is σ(z), and z is the A (1, ld) of op
    row last − 1, which is overwritten. Both lie in the workspace.
    """
    buffer, ld = workspace.buffer, workspace.ld
    Z = view_matrix(buffer, ops[last - 1].A * ld, 1, ld)
    A = view_matrix(buffer, ops[last].A * ld, 1, ld)
    for j in range(m):
        Z[0, j] = -Z[0, j]
    activate(kernel_ptrs, SIGMOID, Z, Z, 0, m, 0, 1, Z)
    for j in range(m):
        out[first + j, 0], out[first + j, 1] = Z[0, j], A[0, j]


@indirect("BlockJob F1 i i I1 Team", requires="predict")
def _predict_block(job, buffer, i, m, nonfinite, team):
    """Predict the examples i … i + m − 1 of a BlockJob by `team`, in the workspace's `buffer`.

    nonfinite (1,): int64, set to 1 if this thread finds NaN or infinity in its copy of X.
    """
    kernel_ptrs, model, last, (_, ld, offsets), X, row_indices, out, _ = job
    own, rows = Workspace(buffer, ld, offsets), view(row_indices, i, m)
    forward_pass(kernel_ptrs, model, last, own, X, rows, rows, 1, Phase(0, INFERENCE), team)
    if model.ops[0].A >= 0 and not _all_finite(model.ops[0], own, m, team):
        nonfinite[0] = 1
    A = view_matrix(buffer, model.ops[last].A * ld, model.ops[last].n_out, ld)
    if team.tid == 0 and out.shape[1] > A.shape[0]:
        _both_probabilities(kernel_ptrs, model.ops, last, own, i, m, out)
    elif team.tid == 0:
        for k in range(A.shape[0]):
            for j in range(m):
                out[i + j, k] = A[k, j]
    barrier_wait(team)


@inlined
def _own_part(workspace, tid):
    """Return thread tid's own part of a Workspace's buffer, as large as what one thread needs."""
    buffer, _, offsets = workspace
    length = offsets.thread_base + offsets.thread_size
    return view(buffer, tid * length, length)


@entry("T Model i Workspace X I1 F2 I1 Team", requires="predict")
def predict_blocks(kernel_ptrs, model, last, workspace, X, row_indices, out, nonfinite, team):
    """out[j, k] ← A[k, j] of op row `last`, for the examples X[row_indices[j]].   out (m, n_out).

    X: an Input; row_indices (m,): indices of examples. If op row `last` is a sigmoid of one unit z,
    out may be (m, 2) and gets (σ(−z), σ(z)) of each example. nonfinite (n_threads,): int64; thread
    tid writes nonfinite[tid] = 1 if it finds NaN or infinity in X as copied into the workspace.

    The examples go in blocks of ld. If m < n_threads · ld, the team works together on each block;
    else a thread that is free computes the next block alone, in its own part of the workspace.
    """
    job = BlockJob(kernel_ptrs, model, last, workspace, X, row_indices, out, nonfinite)
    buffer, ld, _ = workspace
    own, sharing = view(nonfinite, team.tid, 1), team
    apart = team.n_threads > 1 and row_indices.size >= team.n_threads * ld
    if apart:
        buffer, sharing = _own_part(workspace, team.tid), Team(team.barrier, 0, 1)
    i = next_chunk(team, ld) if apart else 0
    while i < row_indices.size:
        _predict_block(kernel_ptrs, job, buffer, i, min(ld, row_indices.size - i), own, sharing)
        i = next_chunk(team, ld) if apart else i + ld


@inlined
def _piece_size(rest, n_threads, ld, lanes):
    """Return how many of the `rest` examples that are left the next piece has.

    This is a guided schedule: a thread's even share of what is left, to the nearest count of
    vectors of `lanes` examples or of MIN_PIECE, at most ld; so the last pieces are short.
    """
    least = max(MIN_PIECE, lanes)
    share = (2 * rest + n_threads * least) // (2 * n_threads * least) * least
    return min(rest, max(least, min(share, ld)))


@kernel
def _predict_pieces(job, mailbox, tid, n_threads):
    """Predict pieces of a BlockJob, which this thread claims by mailbox[NEXT_CHUNK], till the last.

    tid: whose part of the workspace this thread uses; n_threads: how many take pieces, at most.
    """
    m, ld = job.row_indices.size, job.workspace.ld
    buffer, nonfinite = _own_part(job.workspace, tid), view(job.nonfinite, tid, 1)
    i = atomic_load(mailbox, NEXT_CHUNK)
    while i < m:
        n = _piece_size(m - i, n_threads, ld, lane_count(buffer))
        if exchange(mailbox, NEXT_CHUNK, i, i + n):
            _predict_block(job.kernel_ptrs, job, buffer, i, n, nonfinite, Team(mailbox, 0, 1))
        i = atomic_load(mailbox, NEXT_CHUNK)


@inlined
def _post(mailbox, job, n_threads):
    """Post a BlockJob for up to n_threads − 1 helpers, in a mailbox that this thread has taken."""
    mailbox[NEXT_CHUNK] = mailbox[ENDED] = 0
    mailbox[N_THREADS] = n_threads
    store_record(mailbox, JOB, job)
    exchange(mailbox, SEATS, 0, n_threads - 1)  # helpers that see it see all that is written above


@inlined
def _let_go(mailbox, n_threads):
    """Let no helper join the job any more, wait for those that have, and give the mailbox back."""
    seats = atomic_load(mailbox, SEATS)
    while not exchange(mailbox, SEATS, seats, 0):
        seats = atomic_load(mailbox, SEATS)
    polls = 0
    while atomic_load(mailbox, ENDED) < n_threads - 1 - seats:
        polls += 1
        back_off(polls)
    exchange(mailbox, TAKEN, 1, 0)


@entry("T Model i Workspace X I1 F2 I1 I1 i", requires="predict")
def predict_dealt(
    kernel_ptrs, model, last, workspace, X, row_indices, out, nonfinite, mailbox, n_threads
):
    """The same as `predict_blocks`, by this thread and helpers that are awake or wake in time.

    workspace, nonfinite: for n_threads; mailbox: of `threads.helpers`. This thread begins at once
    and waits only for helpers that have begun a piece. It is alone if n_threads is 1 or the helpers
    serve another call.
    """
    m, ld = row_indices.size, workspace.ld
    job = BlockJob(kernel_ptrs, model, last, workspace, X, row_indices, out, nonfinite)
    if n_threads == 1 or not exchange(mailbox, TAKEN, 0, 1):
        own, alone = view(nonfinite, 0, 1), Team(mailbox, 0, 1)
        for i in range(0, m, ld):
            _predict_block(kernel_ptrs, job, workspace.buffer, i, min(ld, m - i), own, alone)
        return
    _post(mailbox, job, n_threads)
    _predict_pieces(job, mailbox, 0, n_threads)
    _let_go(mailbox, n_threads)


@entry("I1 F1", requires="predict")
def serve_pieces(mailbox, numbers):
    """Run a helper: take pieces of the jobs that `predict_dealt` posts, until none comes any more.

    It returns after mailbox[IDLE_POLLS] polls between jobs, or once mailbox[MUST_END] is set.
    mailbox: of `threads.helpers`; numbers: any vector of the jobs' dtype.
    """
    polls = idle = 0
    fetch_add(mailbox, AWAKE, 1)
    while idle < mailbox[IDLE_POLLS] and atomic_load(mailbox, MUST_END) == 0:
        seats = atomic_load(mailbox, SEATS)
        if seats > 0 and exchange(mailbox, SEATS, seats, seats - 1):
            job = load_record(BlockJob, mailbox, JOB, numbers)
            _predict_pieces(job, mailbox, seats, mailbox[N_THREADS])
            fetch_add(mailbox, ENDED, 1)
            idle = 0
            continue
        idle = 0 if atomic_load(mailbox, TAKEN) != 0 else idle + 1
        polls += 1
        if polls % POLLS_PER_YIELD == 0:  # the caller may be waiting for this core
            yield_core()
        else:
            pause()
    fetch_add(mailbox, AWAKE, -1)
