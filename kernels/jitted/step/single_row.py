"""A single example through the layers: products of matrix and vector, without a laid out batch.

Weights are read once, along their rows. The sums run in another order than those of a batch, so
results may differ from a batch's in the last bits.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Activation, Kind, Mode
from ..codegen.atomics import atomic_load, exchange, pause, yield_core
from ..codegen.barrier import barrier_wait
from ..codegen.partition import static_partition
from ..codegen.pointers import address_of, view, view_matrix
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from ..first_layer.driver import read_block
from ..gemm.inner_product import multiply_inner
from ..ops.activations import activate
from ..ops.optimizers import largest
from ..records import Matrix, Model, Operand, Phase, Team
from ..threads.row_worker import COMPUTING, END, GONE, OWNER, STATE, WAITING
from .forward import elementwise

DENSE, ACTIVATION, INFERENCE = int(Kind.DENSE), int(Kind.ACTIVATION), int(Mode.INFERENCE)
SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)
SIGMOID = int(Activation.SIGMOID)

#: Units whose weights are read at a time, from the first on, with the next row from the last on: it
#: begins with what the cache still holds. 784 → 512 → 256 → 10, whose weights just do not fit into
#: 2 MB, takes 39 µs, and 50 always in one order (Xeon).
UNITS_PER_PIECE = 32
#: Polls of a row worker that waits, with a pause each, about 0.1 ms; then with a yield of the core,
#: about 1 ms where nobody else wants it.
WORKER_SPINS, WORKER_YIELDS = 2000, 1000


@inlined
def _dense(kernel_ptrs, op, theta, work, x, z, o0, o1, down):
    """Z[o0:o1] = b + W A, A (n_in,) at work[x:], Z (n_out,) at work[z:]; down: last units first."""
    pieces = (o1 - o0 + UNITS_PER_PIECE - 1) // UNITS_PER_PIECE
    for i in range(pieces):
        o = o0 + UNITS_PER_PIECE * (pieces - 1 - i if down else i)
        n = min(UNITS_PER_PIECE, o1 - o)
        for j in range(o, o + n):
            work[z + j] = theta[op.b + j] if op.b >= 0 else theta.dtype.type(0)
        multiply_inner(
            kernel_ptrs, n, 1, op.n_in, Matrix(theta, op.W + o * op.n_in, op.n_in),
            Matrix(work, x, op.n_in), Operand(work, z + o, 1, 1), 1,
        )  # fmt: skip


@indirect("T Model F1 i I1 Team", requires="row")
def _row_layers(kernel_ptrs, model, work, widest, order, team):
    """Write A of the last layer into work from that of the INPUT row there: a thread's units.

    work: as `single_row` has it; order: [0]. There is a barrier before each layer, none at the end.
    """
    (ops, theta, _), (_, tid, n_threads) = model, team
    down = work[2 * widest + 2] != 0
    if n_threads == 1:  # two threads' halves lie in a cache each, whatever the order
        work[2 * widest + 2] = 0 if down else 1
    for row in range(1, ops.size - 1):
        op = ops[row]
        n, x, z = op.n_out, (row - 1) % 2 * widest, row % 2 * widest
        o0, o1 = static_partition(n, tid, n_threads)
        barrier_wait(team)
        if op.kind == DENSE:
            _dense(kernel_ptrs, op, theta, work, x, z, o0, o1, down)
            x = z
        if op.kind != DENSE and op.kind != ACTIVATION:
            if tid == 0:
                X, A = view_matrix(work, x, n, 1), view_matrix(work, z, n, 1)
                alone = Team(team.barrier, 0, 1)
                elementwise(kernel_ptrs, model, row, X, A, order, 1, Phase(0, INFERENCE), alone)
        elif op.code == SOFTMAX:
            if op.kind == DENSE:
                barrier_wait(team)
            if tid == 0:
                Z, A = view_matrix(work, x, n, 1), view_matrix(work, z, n, 1)
                scratch = view_matrix(work, 2 * widest, 2, 1)
                activate(kernel_ptrs, SOFTMAX, Z, A, 0, 1, 0, n, scratch)
        elif op.code != IDENTITY or x != z:
            Z, A = view_matrix(work, x, 1, n), view_matrix(work, z, 1, n)
            activate(kernel_ptrs, op.code, Z, A, o0, o1 - o0, 0, 1, Z)


@kernel
def _read_row(kernel_ptrs, ops, state, work, X, order):
    """Write A (n,) of the INPUT row to work from X[0]; tell whether it is finite."""
    n = ops[0].n_out
    read_block(kernel_ptrs, ops[0], state, X, order, 0, view_matrix(work, 0, 1, n))
    return largest(view(work, 0, n)) != np.inf


@kernel
def _write_out(kernel_ptrs, ops, work, widest, out):
    """Write out (1, K) = A of the last layer; out (1, 2) = σ(−z), σ(z) of one sigmoid."""
    last, n = (ops.size - 2) % 2 * widest, ops[ops.size - 2].n_out
    other = out.shape[1] - n
    for k in range(n):
        out[0, other + k] = work[last + k]
    if other > 0:
        z = (ops.size - 3) % 2 * widest
        work[z] = -work[z]
        Z = view_matrix(work, z, 1, 1)
        activate(kernel_ptrs, SIGMOID, Z, Z, 0, 1, 0, 1, Z)
        out[0, 0] = work[z]


@kernel
def single_row(kernel_ptrs, ops, theta, state, work, widest, X, order, out):
    """Write out (1, K) = A of the last layer; False, and nothing written, where X is not finite.

    work: two vectors (widest,), used in turn, two numbers for softmax, and one that tells the order
    of the units; order: [0].
    """
    if not _read_row(kernel_ptrs, ops, state, work, X, order):
        return False
    model, alone = Model(ops, theta, state), Team(order, 0, 1)
    _row_layers(kernel_ptrs, model, work, widest, order, alone)
    _write_out(kernel_ptrs, ops, work, widest, out)
    return True


@kernel
def shared_single_row(kernel_ptrs, ops, theta, state, work, widest, X, order, out, barrier):
    """Do what `single_row` does, with a row worker where one waits for this network's rows."""
    if not _read_row(kernel_ptrs, ops, state, work, X, order):
        return False
    claimed = barrier[OWNER] == address_of(theta) and exchange(barrier, STATE, WAITING, COMPUTING)
    team = Team(barrier, 0, 2 if claimed else 1)
    _row_layers(kernel_ptrs, Model(ops, theta, state), work, widest, order, team)
    barrier_wait(team)
    _write_out(kernel_ptrs, ops, work, widest, out)
    return True


@kernel
def _row_comes(barrier):
    """Return True once there is a row to compute half of, False when none has come for long."""
    idle = 0
    while True:
        if atomic_load(barrier, STATE) == COMPUTING:
            return True
        ends = atomic_load(barrier, END) != 0
        idle = WORKER_SPINS + WORKER_YIELDS if ends else idle + 1
        if idle < WORKER_SPINS:
            pause()
        elif idle < WORKER_SPINS + WORKER_YIELDS:
            yield_core()
        elif exchange(barrier, STATE, WAITING, GONE):
            return False


@kernel
def serve_rows(kernel_ptrs, ops, theta, state, work, widest, order, team):
    """Compute a row worker's part of row after row, until none has come for long."""
    exchange(team.barrier, STATE, GONE, WAITING)
    while _row_comes(team.barrier):
        _row_layers(kernel_ptrs, Model(ops, theta, state), work, widest, order, team)
        # It waits again before the last barrier of this row, lest the next row come too early.
        exchange(team.barrier, STATE, COMPUTING, WAITING)
        barrier_wait(team)
