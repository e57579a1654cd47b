"""The prediction of a single example: products of a matrix and a vector, without a workspace.

W (n_out, n_in) is read once, row by row. The sums are added in another order than for a batch;
therefore the last bits of a result may differ from those that `loop.predict_blocks` computes.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Activation, Kind, Mode
from ..codegen.atomics import atomic_load, exchange, pause, yield_core
from ..codegen.barrier import barrier_wait
from ..codegen.partition import static_partition
from ..codegen.pointers import address_of, view, view_matrix
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined, kernel
from ..first_layer.driver import read_block
from ..gemm.bfloat16_inner import multiply_inner_rounded
from ..gemm.inner_product import multiply_inner
from ..ops.activations import activate
from ..ops.optimizers import largest
from ..records import Input, Matrix, Model, Operand, Phase, Team
from ..threads.row_worker import COMPUTING, END, GONE, OWNER, STATE, WAITING
from .forward import MIXED, elementwise

DENSE, ACTIVATION, INFERENCE = int(Kind.DENSE), int(Kind.ACTIVATION), int(Mode.INFERENCE)
SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)
SIGMOID = int(Activation.SIGMOID)

#: Units whose weights are read in one piece. One call reads the pieces of a layer in ascending
#: order, the next one in descending order, for the cache still holds the weights read last.
#: 784 → 512 → 256 → 10, whose weights just exceed 2 MB, takes 39 µs, and 50 µs always in one order
#: (Xeon).
UNITS_PER_PIECE = 32
#: Polls of a row worker that waits for an example: first WORKER_SPINS with a pause, about 0.1 ms;
#: then WORKER_YIELDS with a yield of the core, about 1 ms if no other thread wants the core.
WORKER_SPINS, WORKER_YIELDS = 2000, 1000


@inlined
def _dense(kernel_ptrs, op, theta, work, x, z, o0, o1, down):
    """work[z + o] ← b[o] + Σᵢ W[o, i] work[x + i] for the units o0 ≤ o < o1 of a DENSE op row `op`.

    W (n_out, n_in) and b (n_out,) lie in theta (p,). x, z: indices in work where input and output
    begin. down: a bool; True: pieces of UNITS_PER_PIECE units are read in descending order.
    """
    pieces = (o1 - o0 + UNITS_PER_PIECE - 1) // UNITS_PER_PIECE
    for i in range(pieces):
        o = o0 + UNITS_PER_PIECE * (pieces - 1 - i if down else i)
        n = min(UNITS_PER_PIECE, o1 - o)
        for j in range(o, o + n):
            work[z + j] = theta[op.b + j] if op.b >= 0 else theta.dtype.type(0)
        W, X = Matrix(theta, op.W + o * op.n_in, op.n_in), Matrix(work, x, op.n_in)
        Z = Operand(work, z + o, 1, 1)
        if op.precision == MIXED:
            multiply_inner_rounded(kernel_ptrs, n, 1, op.n_in, W, X, Z, 1)
        else:
            multiply_inner(kernel_ptrs, n, 1, op.n_in, W, X, Z, 1)


@indirect("T Model F1 i I1 Team", requires="row")
def _row_layers(kernel_ptrs, model, work, widest, order, team):
    """Compute this thread's units of A of each op row between INPUT and LOSS, for one example.

    work (2 · widest + 3,), kept between calls: two vectors of `widest` numbers; two numbers of
    scratch for softmax; 0 or 1, the direction in which rows of W are read, flipped by each call of
    one thread. A (n,) of op row r is written from work[r % 2 · widest] on; that of the INPUT op row
    stands at work[0] before. order (1,): index of the example, 0. All threads wait at a barrier
    before each op row, not after the last.
    """
    (ops, theta, _), (_, tid, n_threads) = model, team
    down = work[2 * widest + 2] != 0
    if n_threads == 1:  # each half of the weights fits one of two threads' caches in any order
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
def _read_row(kernel_ptrs, ops, state, work, address, X, order):
    """work[k] ← X[0, k], scaled as the INPUT op row says; return a bool: are all k < n finite?

    ops (rows,): the op table; state: statistics of the scaling; work: n numbers or more; address:
    of the example's numbers; X: an Input that describes it (1, n), but for its address; order (1,):
    its index, 0.
    """
    X = Input(address, X.row_stride, X.column_stride, X.dtype_code, X.kind)
    n = ops[0].n_out
    read_block(kernel_ptrs, ops[0], state, X, order, 0, view_matrix(work, 0, 1, n))
    return largest(view(work, 0, n)) != np.inf


@kernel
def _write_out(kernel_ptrs, ops, work, widest, out):
    """out[0, k] ← A[k] of the last op row before LOSS, read from work.   out (1, K).

    ops (rows,): the op table. work, widest: as `_row_layers` leaves them, A of op row r from
    work[r % 2 · widest] on. If that op row is a sigmoid of one unit z, out may be (1, 2) and gets
    (σ(−z), σ(z)); z, which is its input in work, is overwritten.
    """
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


@entry("T O F1 F1 F1 i P X I1 F2", requires="single row", returns="b", keeps_lock=True)
def single_row(kernel_ptrs, ops, theta, state, work, widest, address, X, order, out):
    """out[0] ← prediction of an example; return a bool: False, out stays, if it is not finite.

    ops (rows,), theta (p,), state: the program; address: of the example's numbers, one after the
    other; X: an Input that describes such a row (1, n), but for its address. Python's lock is kept,
    because the networks are small: taking it again would cost more. out: (1, K), or (1, 2) for a
    sigmoid of one unit z: (σ(−z), σ(z)). widest: largest n_in or n_out, rounded up. order (1,): the
    index of the example, 0. work (2 · widest + 3,), kept between calls: two vectors of `widest`
    numbers that op rows write in turn; two numbers of scratch for softmax; and 0 or 1, flipped by
    each call, the direction in which rows of W are read.
    """
    if not _read_row(kernel_ptrs, ops, state, work, address, X, order):
        return False
    model, alone = Model(ops, theta, state), Team(order, 0, 1)
    _row_layers(kernel_ptrs, model, work, widest, order, alone)
    _write_out(kernel_ptrs, ops, work, widest, out)
    return True


@entry("T Model F1 i P X I1 F2 I1", requires="shared row", returns="b")
def shared_single_row(kernel_ptrs, model, work, widest, address, X, order, out, barrier):
    """out[0] ← prediction of an example, with the row worker if it waits; return a bool.

    The bool is False, and out is not written, if the example is not finite. A worker that waits for
    an example of this theta computes half of each layer's units. barrier (4 · BARRIER_STRIDE,):
    int64, the barrier of caller and worker, with the worker's STATE. The other arguments are those
    of `single_row`; the worker has work and order too.
    """
    ops, theta, state = model
    if not _read_row(kernel_ptrs, ops, state, work, address, X, order):
        return False
    claimed = barrier[OWNER] == address_of(theta) and exchange(barrier, STATE, WAITING, COMPUTING)
    team = Team(barrier, 0, 2 if claimed else 1)
    _row_layers(kernel_ptrs, model, work, widest, order, team)
    barrier_wait(team)
    _write_out(kernel_ptrs, ops, work, widest, out)
    return True


@kernel
def _row_comes(barrier):
    """Wait for an example; return a bool: True once one is there, False if the worker is to end.

    It ends after WORKER_SPINS + WORKER_YIELDS polls without an example, or without further polls if
    barrier[END] is set; barrier[STATE] becomes GONE. barrier (4 · BARRIER_STRIDE,): the row
    worker's, int64.
    """
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


@entry("T O F1 F1 F1 i I1 Team", requires="shared row")
def serve_rows(kernel_ptrs, ops, theta, state, work, widest, order, team):
    """Run the row worker, thread 1 of 2: compute half of each layer's units, example after example.

    It returns after WORKER_SPINS + WORKER_YIELDS polls without a new example. ops (rows,), theta
    (p,), state: the program. work (2 · widest + 3,), widest and order (1,) are those of
    `shared_single_row`, which runs in thread 0 and writes each example into work[:widest].
    """
    exchange(team.barrier, STATE, GONE, WAITING)
    while _row_comes(team.barrier):
        _row_layers(kernel_ptrs, Model(ops, theta, state), work, widest, order, team)
        # The state becomes WAITING before the last barrier: the next example may come right after.
        exchange(team.barrier, STATE, COMPUTING, WAITING)
        barrier_wait(team)
