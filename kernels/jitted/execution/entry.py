"""The doors of a compiled program: workspaces, teams, and the calls that run it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...backend import accept_input, one_thread
from ...csr import SparseRows
from ...opcodes import AS_IT_IS, METHODS, OP, Kind, Method
from ...views import statistics
from ..api.layout import check_examples, check_shape
from ..api.matrix_ops import standardize
from ..api.vector_ops import penalty
from ..codegen.pointers import MARK, describe_input, reader_of
from ..first_layer import int8_gemm, strategy, strided_gemm
from ..step import loop as compiled
from ..step import update as updates
from ..step.gradient import gradient as _gradient
from ..threads.scratch import scratch
from ..threads.team import accumulate_flops, run_parallel
from .kernel_selection import addresses, blocks
from .workspace import allocate, plan_blocked, plan_unblocked

#: Multiplications in one step, or block of rows, below which a team would cost more than it saves.
#: `python -m bench.threshold` measures it: on two logical CPUs whose products together were hardly
#: faster than one's, square nets won from 14 million on, images and tables from 8 on.
WORTH_A_TEAM = 6_000_000
STARTING = 20  # times as many must be at hand before threads are started for a fit or a call

#: Share of the numbers of sparse rows that are held, up to which they are multiplied as they are.
#: Laying a batch out was as fast at 1/22 for 8000 features in float32, at 1/8 for 2000.
FILLED = 1 / 16

#: Rows that forward-only work takes at a time; and of bytes whose products are summed as integers,
#: since weights are cut in digits for each block: 10,000 rows of 784 take 3 % less time so.
BLOCK, MANY = 256, 512


def _as_it_is(ops, X, state, dtype, batch):
    """Tell whether a first DENSE row multiplies X as it is where X would be laid out otherwise."""
    if isinstance(X, SparseRows):
        return ops["stats"][0] == 0 and len(X.data) <= FILLED * X.size
    if X is None or batch < int8_gemm.MANY or X.dtype != int8_gemm.UINT8 or ops["A"][0] < 0:
        return False
    if not int8_gemm.replace(ops, dtype, batch):
        return False
    return (
        state is None
        or strided_gemm.mark(describe_input(X)[0], ops[0], state)[3] == strategy.MARKED
    )


def entered(ops, X, state, dtype, batch):
    """Return the op table of a run over X: another where it is multiplied as it is.

    That is what a first DENSE row does with sparse rows where nothing is subtracted from them and
    they are sparse enough, and with bytes whose products are summed as integers. state: None where
    it is not known. batch: examples of a step, or of a prediction.
    """
    if not _as_it_is(ops, X, state, dtype, batch) or ops["kind"][1] != Kind.DENSE:
        return ops
    return _without_input(ops.tobytes())


@lru_cache(maxsize=256)
def _without_input(ops):
    """The op table in which X is multiplied as it is, from the bytes of one."""
    ops = np.frombuffer(ops, OP).copy()
    if ops["A"][0] >= 0:  # the input's place, which is the first, is not needed
        ops["A"][1:-1] -= ops["n_out"][0]
        ops["Z"][1:-1] -= ops["n_out"][0]
    ops["A"][0] = AS_IT_IS
    return ops


def _described(ops, state, X, dtype, batch):
    """(description of X, array behind it, names of what it needs) where ops read it."""
    x, alive = describe_input(X)
    if ops["A"][0] >= 0:
        return x, alive, {reader_of(alive), "input"}
    x = strided_gemm.mark(x, ops[0], state)
    if x[3] >= MARK:
        x, uses = strategy.chosen(x, alive.dtype, ops, dtype, batch)
        return x, alive, uses
    held = isinstance(X, SparseRows) and ops["A"][0] == AS_IT_IS and ops["stats"][0] == 0
    return x, alive, {reader_of(alive), "sparse" if held else "by blocks"}


def enter(ops, state, X, dtype, batch):
    """(ops, description of X, array behind it, names of what it needs) of a run over X.

    batch: examples of a step, or of a prediction.
    """
    ops = entered(ops, X, state, dtype, batch)
    return ops, *_described(ops, state, X, dtype, batch)


def _plan(ops, m, dtype, X):
    """Plan of steps over up to m examples of X, which a network that begins with it reads twice."""
    twice = isinstance(X, np.ndarray) and ops["A"][0] < 0
    return plan_blocked(ops.tobytes(), m, np.dtype(dtype).itemsize, X.itemsize if twice else 0)


def workspace(ops, m, dtype, threads=1, X=None):
    """Scratch for batches of up to m examples, of X, and teams of up to `threads`."""
    other = entered(ops, X, None, np.dtype(dtype), m)  # or not, as the state will tell
    tables = (ops,) if other is ops else (ops, other)
    works = (allocate(_plan(table, m, dtype, X), dtype, threads).work for table in tables)
    return max(works, key=np.size)


def layout(ops, m, dtype, X, threads=1, work=None):
    """The Layout of steps over up to m examples of X, in `work` if it is given; ops as entered."""
    return allocate(_plan(ops, m, dtype, X), dtype, threads, work)


@lru_cache(maxsize=256)
def _multiplications(ops):
    """How many an example takes forward, from the bytes of an op table."""
    ops = np.frombuffer(ops, OP)
    dense = ops[ops["kind"] == Kind.DENSE]
    return int((dense["n_in"] * dense["n_out"]).sum())


def _team(ops, examples, times, threads, apart=1):
    """Size of the team for work on so many examples, so many times: one, unless it is worth it.

    `threads` is a function, called only where that matters; `apart`: how many members have work of
    their own, which they need not share.
    """
    work = examples * _multiplications(ops.tobytes())
    shared = work >= WORTH_A_TEAM
    if not (shared or apart > 1) or accumulate_flops(work * times) < STARTING * WORTH_A_TEAM:
        return 1
    size = max(1, threads())  # settings that name no number hold 0
    return size if shared else min(size, apart)


def forward(ops, theta, state, work, X):
    """Return [A (m, n_out) of each row but LOSS]; X (m, n_in)."""
    outputs = []
    for row in range(len(ops) - 1):
        outputs.append(np.empty((len(X), ops["n_out"][row]), theta.dtype))
        if row:
            _predict(ops, row, theta, state, X, outputs[-1])
        else:
            _scaled(ops[0], state, X[:], outputs[-1])  # sparse rows become an array
    return outputs


def _scaled(op, state, X, out):
    """Write A (m, n) of the INPUT row, which nets that begin with DENSE never hold whole."""
    if op["stats"]:
        wide = np.result_type(X.dtype, out.dtype)
        shift, factor, rest = (part.astype(wide) for part in statistics(state, op))
        inside = np.empty(out.shape, wide)
        standardize(X.astype(wide), shift + rest, factor, op["offset"], inside)
        out[...] = inside
    else:
        out[...] = X


def _blocks(ops, x, m, dtype, threads):
    """(work, ld, places, team) of forward-only work on m rows of x: a workspace for each member."""
    block = min(m, MANY if strategy.summed.py_func(x) else BLOCK)
    plan = plan_unblocked(ops.tobytes(), block, dtype.itemsize)
    team = _team(ops, block, m / max(block, 1), threads, m // plan.ld)
    return scratch(team * (plan.fixed + plan.each), dtype), plan.ld, plan.places, team


def _predict(ops, row, theta, state, X, out, threads=one_thread, check=accept_input):
    """Write A (m, n_out) of a row."""
    ops, x, alive, needed = enter(ops, state, X, theta.dtype, len(X))
    if ops["A"][0] < 0:
        check()
    work, ld, places, team = _blocks(ops, x, len(X), theta.dtype, threads)
    order = np.arange(len(alive))
    table = addresses(ops, theta.dtype, "predict", needed)
    wrong = np.zeros(team, np.int64)
    args = (table, ops, row, theta, state, work, ld, places, x, order, out, wrong)
    run_parallel(compiled.predict, args, team)
    if any(wrong.tolist()):
        check()


def predict(ops, theta, state, X, out, threads=one_thread, check=accept_input):
    """Write A of the last layer, block by block.   X (m, n_in); out C-contiguous, as in `steps`.

    check() may refuse X: kernels find what is not finite where X is laid out, so there it is asked
    only then, and afterwards; passes of NumPy took a sixth of 10,000 rows of 20 numbers' time.
    """
    _predict(ops, len(ops) - 2, theta, state, X, out, threads, check)


def evaluate(ops, theta, state, X, Y, w, threads=one_thread):
    """Return (cost, share of right rows), means over examples by weight.   Y (m, K); w (m,)."""
    check_examples(ops, theta, None, ((X, Y, w),))
    ops, x, alive, needed = enter(ops, state, X, theta.dtype, len(X))
    work, ld, places, team = _blocks(ops, x, len(X), theta.dtype, threads)
    result, tally = np.zeros(2), np.empty((-(-len(X) // ld), 3))
    order = np.arange(len(alive))
    table = addresses(ops, theta.dtype, "evaluate", needed)
    args = (table, ops, theta, state, work, ld, places, x, Y, w, order, tally, result, 1)
    run_parallel(compiled.evaluate.kernel, args, team)
    return float(result[0]), float(result[1])


def gradient(ops, theta, grad, state, work, batch, settings, epoch):
    """Write the gradient of one step and return (cost, Σ w of right rows, Σ w)."""
    X, Y, w, rows = batch
    check_examples(ops, theta, None, ((X, Y, w),), rows)
    ops, x, _alive, needed = enter(ops, state, X, theta.dtype, len(rows))
    team = _team(ops, 3 * len(rows), 1, lambda: int(settings["threads"]))
    work, ld, places, tally, _ = layout(ops, len(rows), theta.dtype, X, team)
    result = np.zeros(3)
    table = addresses(ops, theta.dtype, "gradient", needed | blocks(tally), settings)
    args = (
        table, ops, theta, grad, state, work, ld, places, x, Y, w, rows, 1, settings.reshape(1),
        int(epoch), tally, result,
    )  # fmt: skip
    run_parallel(_gradient.kernel, args, team)
    if result[2] and (settings["l2"] or settings["l1"]):
        kept = slice(int(settings["decay"]))
        l2, l1 = settings["l2"] / result[2], settings["l1"] / result[2]
        result[0] += penalty(theta[kept], grad[kept], l2, l1)
    return tuple(float(value) for value in result)


def update(ops, arrays, settings, rate, t):
    """Move theta along grad by the settings' method, the t-th time (from 1)."""
    theta, grad, slots, state = arrays
    table = addresses(ops, theta.dtype, "fit", settings=settings)
    sums = np.empty(updates.CHUNKS)
    numbers = settings.reshape(1), float(rate), 0.0, 0.0, int(t)
    args = table, ops, theta, grad, slots, state, *numbers, sums
    run_parallel(updates.update.kernel, args, 1)


def run(ops, arrays, work, train, validation, settings, rates, log, start, stop):
    """Take the steps start … stop−1 of a fit and return the next one: stop, unless it diverged."""
    theta, grad, slots, state = arrays
    (X, Y, w, order), (X_val, Y_val, w_val), (record, scores, counters) = train, validation, log
    check_examples(ops, theta, slots, ((X, Y, w), validation))
    check_shape(order, len(X), like=counters)
    if len(slots) < METHODS[Method(int(settings["method"]))].slots:
        raise ValueError(f"{len(slots)} slots are too few for {Method(int(settings['method']))!r}")
    batch = min(int(settings["batch_size"]), len(X))
    ops, x, _alive, needed = enter(ops, state, X, theta.dtype, batch)
    x_val, alive_val, needed_val = _described(ops, state, X_val, theta.dtype, batch)
    needs = needed | needed_val | {"evaluate"} if len(X_val) else needed
    laid, ld, places, tally, room = layout(ops, batch, theta.dtype, X, work=work)
    if laid is not work:  # which must last from call to call
        raise ValueError(f"a workspace of {work.size} numbers is too small for these steps")
    steps = -(-len(X) // batch)
    scored = len(alive_val) if stop // steps > start // steps else 0
    args = (
        addresses(ops, theta.dtype, "fit", needs | blocks(tally), settings), ops, theta, grad,
        slots, state, work, ld, places, tally, x, Y, w, order, x_val, Y_val, w_val,
        np.arange(scored), np.empty((-(-scored // ld), 3)), settings.reshape(1), rates,
        record, scores, counters, start, stop,
    )  # fmt: skip
    team = _team(ops, 3 * batch, stop - start, lambda: int(settings["threads"]))
    return int(run_parallel(compiled.run, args, min(team, room)))
