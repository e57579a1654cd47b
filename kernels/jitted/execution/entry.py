"""The entry points of a compiled program: workspaces, teams, and the calls that run it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...backend import accept_input, one_thread
from ...opcodes import METHODS, OP, Kind, Method
from ...records import Batch
from ...views import statistics
from ..api.layout import check_examples, check_shape
from ..first_layer.input_descriptor import InputKind
from ..records import MAX_CHUNKS, Model, Penalty, Phase, Workspace
from ..threads.scratch import scratch
from ..threads.team import accumulate_flops, run_parallel
from .compiled import compiled_kernels
from .input_mode import describe_mode, select_input_mode, select_ops
from .kernel_selection import kernel_ptrs_of, required_for_groups
from .workspace import allocate, plan_blocked, plan_unblocked

#: Multiplications in one step, or block of rows, below which a team would cost more than it saves.
#: `python -m bench.threshold` measures it: on two logical CPUs whose products together were hardly
#: faster than one's, square nets won from 14 million on, images and tables from 8 on.
MIN_FLOPS_PER_STEP = 6_000_000
#: Multiplications of a fit or a call, in steps of that size, before threads are started for it.
MIN_STEPS_TO_START = 20

#: Rows that forward-only work takes at a time; and rows of bytes whose products are summed as
#: integers, for weights are quantized for each block: 10,000 rows of 784 take 3 % less time so.
ROWS_PER_BLOCK, BYTE_ROWS_PER_BLOCK = 256, 512


def _plan(ops, m, dtype, X):
    """Return the Plan of steps over up to m examples of X, read twice where it is not laid out."""
    twice = isinstance(X, np.ndarray) and ops["A"][0] < 0
    return plan_blocked(ops.tobytes(), m, np.dtype(dtype).itemsize, X.itemsize if twice else 0)


def workspace(ops, m, dtype, threads=1, X=None):
    """Return scratch (size,) for batches of up to m examples, of X, and up to `threads` threads."""
    other = select_ops(ops, X, None, np.dtype(dtype), m)  # or not, as the state will tell
    tables = (ops,) if other is ops else (ops, other)
    layouts = (allocate(_plan(table, m, dtype, X), dtype, threads) for table in tables)
    return max((found.workspace.buffer for found in layouts), key=np.size)


def layout(ops, m, dtype, X, threads=1, buffer=None):
    """Return the Layout of steps over up to m examples of X, in `buffer` where it is given.

    ops: the table that `select_ops` returned.
    """
    return allocate(_plan(ops, m, dtype, X), dtype, threads, buffer)


@lru_cache(maxsize=256)
def _multiplications(ops):
    """Return how many an example takes forward, from the bytes of an op table."""
    ops = np.frombuffer(ops, OP)
    dense = ops[ops["kind"] == Kind.DENSE]
    return int((dense["n_in"] * dense["n_out"]).sum())


def _n_threads(ops, examples, times, threads, parts=1):
    """Return how many threads share the work on a number of examples, repeated `times` times.

    threads() tells how many may, and is asked only where there is work for several; parts: how many
    threads could each have examples of their own.
    """
    work = examples * _multiplications(ops.tobytes())
    shared = work >= MIN_FLOPS_PER_STEP
    enough = MIN_STEPS_TO_START * MIN_FLOPS_PER_STEP
    if not (shared or parts > 1) or accumulate_flops(work * times) < enough:
        return 1
    n = max(1, threads())  # settings that name no number hold 0
    return n if shared else min(n, parts)


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
        kernels = compiled_kernels()
        kernels.standardize(X.astype(wide), shift + rest, factor, op["offset"], inside)
        out[...] = inside
    else:
        out[...] = X


def _forward_workspace(mode, m, dtype, threads):
    """Return the Workspace of forward-only work on m rows, and how many threads it serves."""
    is_int8 = mode.X.kind >= InputKind.INT8_PACKED
    rows = min(m, BYTE_ROWS_PER_BLOCK if is_int8 else ROWS_PER_BLOCK)
    plan = plan_unblocked(mode.ops.tobytes(), rows, dtype.itemsize)
    n_threads = _n_threads(mode.ops, rows, m / max(rows, 1), threads, m // plan.ld)
    buffer = scratch(n_threads * (plan.floats_shared + plan.floats_per_thread), dtype)
    return Workspace(buffer, plan.ld, plan.offsets), n_threads


def _predict(ops, row, theta, state, X, out, threads=one_thread, check=accept_input):
    """Write out (m, n_out) = A of a row."""
    mode = select_input_mode(ops, state, X, theta.dtype, len(X))
    if mode.ops["A"][0] < 0:
        check()
    workspace, n_threads = _forward_workspace(mode, len(X), theta.dtype, threads)
    nonfinite = np.zeros(n_threads, np.int64)
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "predict", mode.required_kernels),
        Model(mode.ops, theta, state), row, workspace, mode.X, np.arange(len(X)), out, nonfinite,
    )  # fmt: skip
    run_parallel(compiled_kernels().predict, args, n_threads)
    if any(nonfinite.tolist()):
        check()


def predict(ops, theta, state, X, out, threads=one_thread, check=accept_input):
    """Write out = A of the last layer, block by block.   X (m, n_in); out C-contiguous.

    check() may refuse X: kernels find what is not finite where X is laid out, so there it is asked
    only then, and afterwards; passes of NumPy took a sixth of 10,000 rows of 20 numbers' time.
    """
    _predict(ops, len(ops) - 2, theta, state, X, out, threads, check)


def evaluate(ops, theta, state, X, Y, w, threads=one_thread):
    """Return (cost, share of right rows), means over examples by weight.   Y (m, K); w (m,)."""
    check_examples(ops, theta, None, ((X, Y, w),))
    mode = select_input_mode(ops, state, X, theta.dtype, len(X))
    workspace, n_threads = _forward_workspace(mode, len(X), theta.dtype, threads)
    score, block_losses = np.zeros(2), np.empty((-(-len(X) // workspace.ld), 3))
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "evaluate", mode.required_kernels),
        Model(mode.ops, theta, state), workspace, Batch(mode.X, Y, w, np.arange(len(X))),
        block_losses, score, 1,
    )  # fmt: skip
    run_parallel(compiled_kernels().evaluate, args, n_threads)
    return float(score[0]), float(score[1])


def gradient(ops, theta, grad, state, work, batch, settings, epoch):
    """Write the gradient of one step and return (cost, Σ w of right rows, Σ w)."""
    X, Y, w, row_indices = batch
    m = len(row_indices)
    check_examples(ops, theta, None, ((X, Y, w),), row_indices)
    mode = select_input_mode(ops, state, X, theta.dtype, m)
    n_threads = _n_threads(mode.ops, 3 * m, 1, lambda: int(settings["threads"]))
    workspace, group_losses, _ = layout(mode.ops, m, theta.dtype, X, n_threads)
    step_log = np.zeros(3)
    required_kernels = mode.required_kernels | required_for_groups(group_losses)
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "gradient", required_kernels, settings),
        Model(mode.ops, theta, state), grad, workspace, Batch(mode.X, Y, w, row_indices), 1,
        Phase(int(settings["seed"]), int(epoch)), group_losses, step_log,
    )  # fmt: skip
    run_parallel(compiled_kernels().gradient, args, n_threads)
    if step_log[2] and (settings["l2"] or settings["l1"]):
        kept = slice(int(settings["decay"]))
        l2, l1 = settings["l2"] / step_log[2], settings["l1"] / step_log[2]
        step_log[0] += compiled_kernels().penalty(theta[kept], grad[kept], l2, l1)
    return tuple(float(value) for value in step_log)


def update(ops, arrays, settings, rate, t):
    """Move theta along grad by the settings' method, the t-th time (from 1)."""
    theta, grad, slots, state = arrays
    args = (
        kernel_ptrs_of(ops, theta.dtype, "fit", settings=settings), Model(ops, theta, state), grad,
        slots, settings.reshape(1), float(rate), Penalty(0.0, 0.0), int(t), np.empty(MAX_CHUNKS),
    )  # fmt: skip
    run_parallel(compiled_kernels().update, args, 1)


def run(ops, arrays, work, train, validation, settings, rates, log, start, stop):
    """Take the steps start … stop−1 of a fit and return the next one: stop, unless it diverged."""
    theta, grad, slots, state = arrays
    (X, Y, w, order), (X_val, Y_val, w_val) = train, validation
    check_examples(ops, theta, slots, ((X, Y, w), validation))
    check_shape(order, len(X), like=log.counters)
    if len(slots) < METHODS[Method(int(settings["method"]))].slots:
        raise ValueError(f"{len(slots)} slots are too few for {Method(int(settings['method']))!r}")
    batch = min(int(settings["batch_size"]), len(X))
    mode = select_input_mode(ops, state, X, theta.dtype, batch)
    held_out = describe_mode(mode.ops, state, X_val, theta.dtype, batch)
    workspace, group_losses, capacity = layout(mode.ops, batch, theta.dtype, X, buffer=work)
    if workspace.buffer is not work:  # which must last from call to call
        raise ValueError(f"a workspace of {work.size} numbers is too small for these steps")
    steps = -(-len(X) // batch)
    scored = len(X_val) if stop // steps > start // steps else 0
    required_kernels = mode.required_kernels | required_for_groups(group_losses)
    if len(X_val):
        required_kernels |= held_out.required_kernels | {"evaluate"}
    validation = (
        Batch(held_out.X, Y_val, w_val, np.arange(scored)),
        np.empty((-(-scored // workspace.ld), 3)),
    )
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "fit", required_kernels, settings),
        Model(mode.ops, theta, state), grad, slots, workspace, group_losses,
        Batch(mode.X, Y, w, order), validation, settings.reshape(1), rates, log, start,
        stop,
    )  # fmt: skip
    n_threads = _n_threads(mode.ops, 3 * batch, stop - start, lambda: int(settings["threads"]))
    return int(run_parallel(compiled_kernels().run, args, min(n_threads, capacity)))
