"""The prediction of one or a few examples: dot products with rows of W, without a workspace.

W (n_out, n_in) is read once, row by row. The sums are added in another order than for a batch;
therefore the last bits of a result may differ from those that `prediction.predict_blocks` computes.
They do not depend on the other examples: each gets the bits that it gets alone.
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
from ..threads.row_worker import COMPUTING, END, EXAMPLES, GONE, OWNER, STATE, WAITING
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
def _dense(kernel_ptrs, op, theta, work, m, x, z, o0, o1, down):
    """Z[e, o] ← b[o] + Σᵢ W[o, i] X[e, i] for e < m and units o0 ≤ o < o1 of a DENSE op row `op`.

    X (m, n_in) and Z (m, n_out), which is written, begin at the indices x and z of work; W (n_out,
    n_in) and b (n_out,) lie in theta (p,). down: a bool; True: pieces of UNITS_PER_PIECE units are
    read in descending order.
    """
    pieces = (o1 - o0 + UNITS_PER_PIECE - 1) // UNITS_PER_PIECE
    for i in range(pieces):
        o = o0 + UNITS_PER_PIECE * (pieces - 1 - i if down else i)
        n = min(UNITS_PER_PIECE, o1 - o)
        for e in range(m):
            for j in range(o, o + n):
                work[z + e * op.n_out + j] = theta[op.b + j] if op.b >= 0 else theta.dtype.type(0)
        W, X = Matrix(theta, op.W + o * op.n_in, op.n_in), Matrix(work, x, op.n_in)
        Z = Operand(work, z + o, 1, op.n_out)
        if op.precision == MIXED:
            multiply_inner_rounded(kernel_ptrs, n, m, op.n_in, W, X, Z, 1)
        else:
            multiply_inner(kernel_ptrs, n, m, op.n_in, W, X, Z, 1)


@inlined
def _softmax(kernel_ptrs, n, work, m, x, z, scratch):
    """A[e, k] ← exp Z[e, k] / Σᵢ exp Z[e, i] for e < m.   Z, A (m, n) at the indices x, z of work.

    scratch: index of two numbers in work that are overwritten.
    """
    for e in range(m):
        Z, A = view_matrix(work, x + e * n, n, 1), view_matrix(work, z + e * n, n, 1)
        activate(kernel_ptrs, SOFTMAX, Z, A, 0, 1, 0, n, view_matrix(work, scratch, 2, 1))


@inlined
def _rest_of_row(kernel_ptrs, model, row, work, m, x, z, order, team):
    """Compute A (m, n) of op row `row`, a DROPOUT, NOISE or BATCHNORM, in prediction.

    Its input (m, n) begins at index x of work, A at z. order: indices of examples, of which the
    first is passed on.
    """
    n, alone = model.ops[row].n_out, Team(team.barrier, 0, 1)
    for e in range(m):
        X, A = view_matrix(work, x + e * n, n, 1), view_matrix(work, z + e * n, n, 1)
        first = view(order, 0, 1)
        elementwise(kernel_ptrs, model, row, X, A, first, 1, Phase(0, INFERENCE), alone)


@indirect("T Model F1 i i I1 Team", requires="row")
def _row_layers(kernel_ptrs, model, work, half, m, order, team):
    """Compute this thread's units of A of each op row between INPUT and LOSS, for m examples.

    work (2 · half + 3,), kept between calls: two matrices of up to `half` numbers; two numbers of
    scratch for softmax; 0 or 1, the direction in which rows of W are read, flipped by each call of
    one thread. A (m, n) of op row r is written from work[r % 2 · half] on; that of the INPUT op row
    stands at work[0] before. order (m or more,): indices of the examples, from 0. All threads wait
    at a barrier before each op row, not after the last.
    """
    (ops, theta, _), (_, tid, n_threads) = model, team
    down = work[2 * half + 2] != 0
    if n_threads == 1:  # each half of the weights fits one of two threads' caches in any order
        work[2 * half + 2] = 0 if down else 1
    for row in range(1, ops.size - 1):
        op = ops[row]
        n, x, z = op.n_out, (row - 1) % 2 * half, row % 2 * half
        o0, o1 = static_partition(n, tid, n_threads)
        barrier_wait(team)
        if op.kind == DENSE:
            _dense(kernel_ptrs, op, theta, work, m, x, z, o0, o1, down)
            x = z
        if op.kind != DENSE and op.kind != ACTIVATION:
            if tid == 0:
                _rest_of_row(kernel_ptrs, model, row, work, m, x, z, order, team)
        elif op.code == SOFTMAX:
            if op.kind == DENSE:
                barrier_wait(team)
            if tid == 0:
                _softmax(kernel_ptrs, n, work, m, x, z, 2 * half)
        elif op.code != IDENTITY or x != z:
            Z, A = view_matrix(work, x, m, n), view_matrix(work, z, m, n)
            activate(kernel_ptrs, op.code, Z, A, o0, o1 - o0, 0, m, Z)


@kernel
def _read_rows(kernel_ptrs, ops, state, work, address, X, m, order):
    """work[e · n + k] ← X[e, k] for e < m, scaled as the INPUT op row says; return: are all finite?

    ops (rows,): the op table; state: statistics of the scaling; work: m · n numbers or more;
    address: of X's numbers; X: an Input that describes it (m, n), but for its address; order (m or
    more,): indices of the examples, from 0.
    """
    X = Input(address, X.row_stride, X.column_stride, X.dtype_code, X.kind)
    n = ops[0].n_out
    read_block(kernel_ptrs, ops[0], state, X, view(order, 0, m), 0, view_matrix(work, 0, m, n))
    return largest(view(work, 0, m * n)) != np.inf


@kernel
def _write_out(kernel_ptrs, ops, work, half, out):
    """out[e, k] ← A[e, k] of the last op row before LOSS, read from work.   out (m, K).

    ops (rows,): the op table. work, half: as `_row_layers` leaves them, A of op row r from
    work[r % 2 · half] on. If that op row is a sigmoid of one unit z, out may be (m, 2) and gets
    (σ(−z), σ(z)); z, which is its input in work, is overwritten.
    """
    last, n = (ops.size - 2) % 2 * half, ops[ops.size - 2].n_out
    m, other = out.shape[0], out.shape[1] - n
    for e in range(m):
        for k in range(n):
            out[e, other + k] = work[last + e * n + k]
    if other > 0:
        z = (ops.size - 3) % 2 * half
        for e in range(m):
            work[z + e] = -work[z + e]
        Z = view_matrix(work, z, m, 1)
        activate(kernel_ptrs, SIGMOID, Z, Z, 0, 1, 0, m, Z)
        for e in range(m):
            out[e, 0] = work[z + e]


@entry("T O F1 F1 F1 i P X I1 F2", requires="few rows", returns="b", keeps_lock=True)
def few_rows(kernel_ptrs, ops, theta, state, work, half, address, X, order, out):
    """out ← predictions of m examples; return a bool: False, out stays, if one is not finite.

    ops (rows,), theta (p,), state: the program; address: of the examples' numbers, row by row; X:
    an Input that describes such rows (m, n), but for its address. Python's lock is kept, because
    the products are small: taking it again would cost more. out: (m, K), or (m, 2) for a sigmoid of
    one unit z: (σ(−z), σ(z)). half: the most numbers that an op row has for the examples. order (m
    or more,): indices of the examples, from 0. work (2 · half + 3,), kept between calls: two
    matrices of `half` numbers that op rows write in turn; two numbers of scratch for softmax; and 0
    or 1, flipped by each call, the direction in which rows of W are read.
    """
    m = out.shape[0]
    if not _read_rows(kernel_ptrs, ops, state, work, address, X, m, order):
        return False
    model, alone = Model(ops, theta, state), Team(order, 0, 1)
    _row_layers(kernel_ptrs, model, work, half, m, order, alone)
    _write_out(kernel_ptrs, ops, work, half, out)
    return True


@entry("T Model F1 i P X I1 F2 I1", requires="shared rows", returns="b")
def shared_few_rows(kernel_ptrs, model, work, half, address, X, order, out, barrier):
    """out ← predictions of m examples, with the row worker if it waits; return a bool.

    The bool is False, and out is not written, if an example is not finite. A worker that waits for
    examples of this theta computes half of each layer's units. barrier (4 · BARRIER_STRIDE,):
    int64, the barrier of caller and worker, with the worker's STATE and the number of its EXAMPLES.
    The other arguments are those of `few_rows`; the worker has work and order too.
    """
    ops, theta, state = model
    m = out.shape[0]
    if not _read_rows(kernel_ptrs, ops, state, work, address, X, m, order):
        return False
    barrier[EXAMPLES] = m
    claimed = barrier[OWNER] == address_of(theta) and exchange(barrier, STATE, WAITING, COMPUTING)
    team = Team(barrier, 0, 2 if claimed else 1)
    _row_layers(kernel_ptrs, model, work, half, m, order, team)
    barrier_wait(team)
    _write_out(kernel_ptrs, ops, work, half, out)
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


@entry("T O F1 F1 F1 i I1 Team", requires="shared rows")
def serve_rows(kernel_ptrs, ops, theta, state, work, half, order, team):
    """Run the row worker, thread 1 of 2: compute half of each layer's units, call after call.

    It returns after WORKER_SPINS + WORKER_YIELDS polls without a new example. ops (rows,), theta
    (p,), state: the program. work (2 · half + 3,), half and order are those of `shared_few_rows`,
    which runs in thread 0 and writes the examples into work[:half].
    """
    exchange(team.barrier, STATE, GONE, WAITING)
    while _row_comes(team.barrier):
        m = team.barrier[EXAMPLES]
        _row_layers(kernel_ptrs, Model(ops, theta, state), work, half, m, order, team)
        # The state becomes WAITING before the last barrier: the next example may come right after.
        exchange(team.barrier, STATE, COMPUTING, WAITING)
        barrier_wait(team)
