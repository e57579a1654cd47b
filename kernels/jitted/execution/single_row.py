"""A single example through the layers: products of matrix and vector, and nothing laid out anew.

Weights are read once, along their rows. The sums run in another order than those of a batch, so
results may differ from a batch's in the last bits.
"""

from __future__ import annotations

import os
import threading
from time import perf_counter

import numba
import numpy as np

from ...backend import one_thread
from ...opcodes import Activation, Kind, Mode
from ...views import aligned_scratch
from ..codegen.pointers import address_of, describe_input, reader_of, view, view_matrix
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from ..compiler.unrequested import raise_if_called
from ..first_layer.driver import read_block
from ..gemm.inner_product import multiply_inner
from ..ops.activations import activate
from ..ops.optimizers import largest
from ..step.forward import elementwise
from ..threads import row_worker
from ..threads.team import barrier_wait, static_partition
from .kernel_selection import addresses

DENSE, ACTIVATION, INFERENCE = int(Kind.DENSE), int(Kind.ACTIVATION), int(Mode.INFERENCE)
SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)
SIGMOID = int(Activation.SIGMOID)

#: Units whose weights are read at a time: from the first on, with the next row from the last on. So
#: it begins with what the cache still holds: 784 → 512 → 256 → 10, whose weights just do not fit
#: into 2 MB, takes 39 µs, and 50 always in one order (Xeon).
PIECE = 32
KEPT = 32  # networks whose workspaces a thread keeps


@inlined
def _dense(table, op, theta, work, a, z, n_in, o0, o1, down):
    """Z (n_out,) at z, its numbers o0 … o1−1, from A (n_in,) at a; down: the last ones first."""
    pieces = (o1 - o0 + PIECE - 1) // PIECE
    for i in range(pieces):
        o = o0 + PIECE * (pieces - 1 - i if down else i)
        n = min(PIECE, o1 - o)
        for j in range(o, o + n):
            work[z + j] = theta[op.b + j] if op.b >= 0 else theta.dtype.type(0)
        multiply_inner(
            table, n, 1, n_in, theta, op.W + o * n_in, n_in, work, a, n_in, work, z + o, 1, 1, 1
        )  # fmt: skip


@indirect("T O F1 F1 F1 i I1 I1 i i", requires="row")
def _compute(table, ops, theta, state, work, widest, order, meeting, me, team):
    """A of the last layer in `work`, from that of the INPUT row there: a member's part of units.

    All members meet before each row, not after the last one; a lone one has any `meeting`.
    """
    down = work[2 * widest + 2] != 0
    if team == 1:  # members' halves lie in a cache each
        work[2 * widest + 2] = 0 if down else 1
    for row in range(1, ops.size - 1):
        op = ops[row]
        n, a, z = op.n_out, (row - 1) % 2 * widest, row % 2 * widest
        o0, o1 = static_partition(n, me, team)
        barrier_wait(meeting, me, team)
        if op.kind == DENSE:
            _dense(table, op, theta, work, a, z, op.n_in, o0, o1, down)
            a = z
        if op.kind != DENSE and op.kind != ACTIVATION:
            if me == 0:
                before, A = view_matrix(work, a, n, 1), view_matrix(work, z, n, 1)
                elementwise(table, ops, row, theta, state, before, A, order, 1, 0, INFERENCE, 0, 1)
        elif op.code == SOFTMAX:
            if op.kind == DENSE:
                barrier_wait(meeting, me, team)
            if me == 0:
                Z, A, scratch = view_matrix(work, a, n, 1), view_matrix(work, z, n, 1), 2 * widest
                activate(table, SOFTMAX, Z, A, 0, 1, 0, n, view_matrix(work, scratch, 2, 1))
        elif op.code != IDENTITY or a != z:
            Z, A = view_matrix(work, a, 1, n), view_matrix(work, z, 1, n)
            activate(table, op.code, Z, A, o0, o1 - o0, 0, 1, Z)


@kernel
def _begun(table, ops, state, work, X, order):
    """Write A of the INPUT row; tell whether X is finite."""
    n = ops[0].n_out
    read_block(table, ops[0], state, X, order, 0, view_matrix(work, 0, 1, n))
    return largest(view(work, 0, n)) != np.inf


@kernel
def _finished(table, ops, work, widest, out):
    """Write out (1, K) from A of the last layer; out (1, 2) of one sigmoid: σ(−z) and σ(z)."""
    last, n = (ops.size - 2) % 2 * widest, ops[ops.size - 2].n_out
    other = out.shape[1] - n
    for k in range(n):
        out[0, other + k] = work[last + k]
    if other > 0:
        before = (ops.size - 3) % 2 * widest
        work[before] = -work[before]
        Z = view_matrix(work, before, 1, 1)
        activate(table, SIGMOID, Z, Z, 0, 1, 0, 1, Z)
        out[0, 0] = work[before]


@kernel
def _layers(table, ops, theta, state, work, widest, X, order, out):
    """Write A (1, K) of the last layer; False, and nothing written, where X is not finite.

    work: two vectors (widest,), used in turn, two numbers for softmax, and one that tells the way
    through the units; order: [0].
    """
    if not _begun(table, ops, state, work, X, order):
        return False
    _compute(table, ops, theta, state, work, widest, order, order, 0, 1)
    _finished(table, ops, work, widest, out)
    return True


@kernel
def _shared(table, ops, theta, state, work, widest, X, order, out, meeting):
    """The same together with a companion, if one waits for this network's rows."""
    if not _begun(table, ops, state, work, X, order):
        return False
    team = 2 if row_worker.asked(meeting, address_of(theta)) else 1
    _compute(table, ops, theta, state, work, widest, order, meeting, 0, team)
    barrier_wait(meeting, 0, team)
    _finished(table, ops, work, widest, out)
    return True


@kernel
def _accompany(table, ops, theta, state, work, widest, order, meeting, me, team):
    """Compute a companion's part of row after row, until none has come for long."""
    row_worker.begin(meeting)
    while row_worker.wait(meeting):
        _compute(table, ops, theta, state, work, widest, order, meeting, me, team)
        row_worker.release(meeting)
        barrier_wait(meeting, me, team)


class _Kept(threading.local):
    """What each thread keeps: by op table and dtypes, a row to copy into and all it needs."""

    def __init__(self):
        self.prepared = {}


_kept = _Kept()


def _forget():
    """Begin anew in a forked child: no companion of its parent's meets it."""
    _kept.prepared.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _prepare(ops, theta, state, kind, out, threads):
    """A row (1, n) of dtype `kind`, what computes it, arguments beside the vectors, a Company.

    The compiled function itself: Numba's dispatch looks at the types of all arguments each time,
    a tenth of a small net's row. What a companion runs is compiled here, not in its thread, which a
    fork could cut short.
    """
    dtype = theta.dtype
    widest = -(-max(int(ops["n_in"].max()), int(ops["n_out"].max())) // 16) * 16
    row = np.empty((1, ops["n_in"][0]), kind)
    X, _ = describe_input(row)
    work = aligned_scratch(2 * widest + 3, dtype)
    work[-1] = 0  # the way through the units, which `_compute` turns round each time
    dense = ops[ops["kind"] == DENSE]
    table, order = addresses(ops, dtype, "single", {reader_of(row)}), np.zeros(1, np.int64)
    args, company = (table, ops, theta, state, work, widest, X, order, out), None
    if (dense["n_in"] * dense["n_out"]).sum() >= row_worker.WORTH:
        company = row_worker.Company(_accompany)
        if threads() > 1:
            company.prepare((table, ops, theta, state, work, widest, order))
        args = (*args, company.meeting)
    function = _layers if company is None else _shared
    compute = function.compile(tuple(map(numba.typeof, args)))
    return row, compute, table, work, widest, X, order, company


def predict_row(ops, key, theta, state, X, out, threads=one_thread):
    """As `predict`, for one row X (1, n); False, and nothing written, where it is not finite.

    key: the op table as bytes, whose hash Python keeps; X: of a dtype that kernels read; threads:
    as in `predict`.
    """
    name = key, theta.dtype, X.dtype
    found = _kept.prepared.get(name)
    is_first = found is None
    if is_first:
        if len(_kept.prepared) >= KEPT:
            _kept.prepared.clear()
        found = _kept.prepared[name] = _prepare(ops, theta, state, X.dtype, out, threads)
    row, compute, table, work, widest, place, order, company = found
    row[...] = X  # asking for the address of X would take longer, 0.8 µs
    if company is None:
        done = compute(table, ops, theta, state, work, widest, place, order, out)
        if is_first:  # no row of this program reaches other kernels
            raise_if_called()
        return done
    began, meeting = perf_counter(), company.meeting
    done = compute(table, ops, theta, state, work, widest, place, order, out, meeting)
    if is_first:
        raise_if_called()
    if company.is_due(began):
        company.judge((table, ops, theta, state, work, widest, order), theta, threads)
    return done
