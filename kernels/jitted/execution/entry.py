"""The calls that run a compiled program: they choose kernels, workspace and number of threads.

Arguments are named as in `kernels/backend.py`: ops (rows,) is the op table, theta (p,) holds the
parameters, state the statistics; X (m, n_in) is an array or CSR rows, Y (m, K) the targets, w (m,)
the weights of the examples; threads() returns how many threads the call may use.
"""

from __future__ import annotations

import numpy as np

from ...backend import accept_input, one_thread
from ...custom_ops import FIRST
from ...records import Batch, BestEpoch, FitLog
from ...views import statistics
from ..api.layout import check_alike, check_examples, check_fit
from ..api.matrix_ops import standardize
from ..api.vector_ops import penalty
from ..first_layer.input_descriptor import InputKind
from ..loader.tables import entry_point
from ..records import MAX_CHUNKS, Model, Penalty, Phase, Validation, Workspace
from ..threads.scratch import scratch
from ..threads.team import accumulate_flops, run_parallel
from .input_mode import describe_mode, select_input_mode, select_ops
from .kernel_selection import kernel_ptrs_of, required_for_groups
from .workspace import ROWS_PER_BLOCK, layout, multiplications, plan_unblocked, prediction_block

#: Multiplications of one step, or of one block of a forward pass, from which on a team shares it:
#: in smaller ones the barriers cost more than the team saves. `python -m bench.threshold` measures
#: which networks are faster with a team.
MIN_FLOPS_PER_STEP = 6_000_000
#: Threads are started once the calls of a `keep_team` block have done MIN_STEPS_TO_START times
#: MIN_FLOPS_PER_STEP multiplications: short work is not worth the time that starting takes.
MIN_STEPS_TO_START = 20

#: As ROWS_PER_BLOCK, for int8 kernels, which quantize the weights anew for each block: 10,000
#: examples of 784 bytes take 3 % less time.
BYTE_ROWS_PER_BLOCK = 512


def workspace(ops, m, dtype, threads=1, X=None):
    """Return a vector (size,) of `dtype`, the memory for steps with batches of up to m examples.

    ops: the op table (rows,); dtype: the network's; threads: how many threads at most; X: the array
    or CSR rows of the examples, or None. The state, which is not known here, can decide whether X
    is copied into the workspace or read in place: the memory suffices for both.
    """
    other = select_ops(ops, X, None, np.dtype(dtype), m)
    tables = (ops,) if other is ops else (ops, other)
    layouts = (layout(table, m, dtype, X, threads) for table in tables)
    return max((found.workspace.buffer for found in layouts), key=np.size)


def count_threads(ops, examples, times, threads, parts=1):
    """Return how many threads, at least 1, work on `times` passes of `examples` examples each.

    ops: the op table (rows,). For a gradient, `examples` is three times the number of examples.
    parts: how many threads could each work on whole blocks of examples, without barriers; 1: all
    threads share each op row. threads(): returns how many the user allows, 0 for no limit named; it
    is called only if there is work for several threads.
    """
    work = examples * multiplications(ops.tobytes())
    shared = work >= MIN_FLOPS_PER_STEP
    enough = MIN_STEPS_TO_START * MIN_FLOPS_PER_STEP
    if not (shared or parts > 1) or accumulate_flops(work * times) < enough:
        return 1
    n = max(1, threads())  # the settings hold 0 where the user has named no number
    return n if shared else min(n, parts)


def forward(ops, theta, state, work, X):
    """Return a list with A (m, n_out) of each op row but LOSS, for the examples X (m, n_in).

    ops: the op table (rows,); theta (p,): parameters; state: statistics; work: unused.
    """
    outputs = []
    for row in range(len(ops) - 1):
        outputs.append(np.empty((len(X), ops["n_out"][row]), theta.dtype))
        if row:
            _predict(ops, row, theta, state, X, outputs[-1])
        else:
            _scaled(ops[0], state, X[:], outputs[-1])  # X[:] turns CSR rows into an array
    return outputs


def _scaled(op, state, X, out):
    """Write out (m, n) = A of the INPUT op row `op`: X (m, n), an array, scaled if `op` scales.

    state: the vector that holds shifts and factors. Only `forward` calls this: a network whose
    first layer is DENSE never stores A of all examples.
    """
    if op["stats"]:
        wide = np.result_type(X.dtype, out.dtype)
        shift, factor, rest = (part.astype(wide) for part in statistics(state, op))
        inside = np.empty(out.shape, wide)
        standardize(X.astype(wide), shift + rest, factor, op["offset"], inside)
        out[...] = inside
    else:
        out[...] = X


def _forward_workspace(mode, m, dtype, threads, most=ROWS_PER_BLOCK):
    """Return (Workspace, number of threads) for predicting or evaluating m examples.

    mode: the InputMode of X; dtype: the network's; threads(): returns how many threads may be used;
    most: the examples of a block, unless int8 kernels read X. The memory is this thread's scratch,
    reused by its next call.
    """
    is_int8 = mode.X.kind >= InputKind.INT8_PACKED
    rows = min(m, BYTE_ROWS_PER_BLOCK if is_int8 else most)
    plan = plan_unblocked(mode.ops.tobytes(), rows, dtype.itemsize)
    n_threads = count_threads(mode.ops, rows, m / max(rows, 1), threads, m // plan.ld)
    buffer = scratch(n_threads * (plan.floats_shared + plan.floats_per_thread), dtype)
    return Workspace(buffer, plan.ld, plan.offsets), n_threads


def _predict(ops, row, theta, state, X, out, threads=one_thread, check=accept_input):
    """Write out (m, n_out) = A of op row number `row` for X (m, n_in), block by block of examples.

    ops: the op table (rows,); theta (p,): parameters; state: statistics; threads(): returns how
    many threads may be used. check() raises an error if X is not finite. It is called first if
    kernels read X in place; else at the end, if kernels have found NaN or infinity in the
    workspace's copy of X.
    """
    mode = select_input_mode(ops, state, X, theta.dtype, min(len(X), ROWS_PER_BLOCK))
    if mode.ops["A"][0] < 0:
        check()
    most = prediction_block(mode.ops.tobytes(), theta.itemsize)
    workspace, n_threads = _forward_workspace(mode, len(X), theta.dtype, threads, most)
    nonfinite = np.zeros(n_threads, np.int64)
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "predict", mode.required_kernels),
        Model(mode.ops, theta, state), row, workspace, mode.X, np.arange(len(X)), out, nonfinite,
    )  # fmt: skip
    run_parallel(entry_point("step.prediction.predict_blocks", theta.dtype), args, n_threads)
    if any(nonfinite.tolist()):
        check()


def predict(ops, theta, state, X, out, threads=one_thread, check=accept_input):
    """Write out (m, K) = A of the last layer for X (m, n_in), block by block; out is C-contiguous.

    ops: the op table (rows,); theta (p,): parameters; state: statistics; threads(): returns how
    many threads may be used. If the last layer is one sigmoid unit, out may be (m, 2), for both
    classes' probabilities. check() raises an error if X is not finite. It is called first if
    kernels read X in place. If X is copied into the workspace, kernels look for NaN and infinity in
    the copy, and check() is called at the end, only if they found some: a search by NumPy took a
    sixth of the time for 10,000 examples of 20 numbers.
    """
    _predict(ops, len(ops) - 2, theta, state, X, out, threads, check)


def evaluate(ops, theta, state, X, Y, w, threads=one_thread):
    """Return floats (cost, share of rightly classified examples): means, weighted by w.

    X (m, n_in); Y (m, K): targets; w (m,): weights; ops: the op table (rows,); theta (p,):
    parameters; state: statistics; threads(): returns how many threads may be used.
    """
    check_examples(ops, theta, None, ((X, Y, w),))
    mode = select_input_mode(ops, state, X, theta.dtype, min(len(X), ROWS_PER_BLOCK))
    workspace, n_threads = _forward_workspace(mode, len(X), theta.dtype, threads)
    score, block_losses = np.zeros(2), np.empty((-(-len(X) // workspace.ld), 3))
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "evaluate", mode.required_kernels),
        Model(mode.ops, theta, state), workspace,
        Batch.of((mode.X, Y, w), np.arange(len(X))), block_losses, score, 1,
    )  # fmt: skip
    run_parallel(entry_point("step.loop.evaluate_blocks", theta.dtype), args, n_threads)
    return float(score[0]), float(score[1])


def gradient(ops, theta, grad, state, work, batch, settings, epoch):
    """Write grad (p,) of one step; return floats (cost, Σ w of rightly classified examples, Σ w).

    ops: the op table (rows,); theta (p,): parameters; state: statistics; batch: a Batch; settings:
    an element of dtype SETTINGS, whose l2 and l1 add a penalty to the cost and the gradient; epoch:
    whose dropout masks and noise are drawn, or Mode.FROZEN for none; work: unused.
    """
    X, Y, w, row_indices, numbers = batch
    m = len(row_indices)
    check_examples(ops, theta, None, ((X, Y, w),), row_indices)
    check_alike(row_indices, numbers)
    mode = select_input_mode(ops, state, X, theta.dtype, m)
    n_threads = count_threads(mode.ops, 3 * m, 1, lambda: int(settings["threads"]))
    workspace, group_losses, _ = layout(mode.ops, m, theta.dtype, X, n_threads)
    step_log = np.zeros(3)
    required_kernels = mode.required_kernels | required_for_groups(group_losses)
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "gradient", required_kernels, settings),
        Model(mode.ops, theta, state), grad, workspace, batch._replace(X=mode.X), 1,
        Phase(int(settings["seed"]), int(epoch)), group_losses, step_log,
    )  # fmt: skip
    run_parallel(entry_point("step.gradient.batch_gradient", theta.dtype), args, n_threads)
    if step_log[2] and (settings["l2"] or settings["l1"]):
        kept = slice(int(settings["decay"]))
        l2, l1 = settings["l2"] / step_log[2], settings["l1"] / step_log[2]
        step_log[0] += penalty(theta[kept], grad[kept], l2, l1)
    return tuple(float(value) for value in step_log)


def update(ops, arrays, settings, rate, t):
    """Take step number t (from 1) of the settings' optimiser; return whether it was taken.

    A custom one's is not if it would give numbers that are not finite. ops: the op table (rows,);
    arrays: a FitArrays, whose theta (p,) and slots change by its grad (p,); settings: an element of
    dtype SETTINGS; rate: the learning rate.
    """
    theta, grad, slots, state = arrays[:4]
    args = (
        kernel_ptrs_of(ops, theta.dtype, "fit", settings=settings), Model(ops, theta, state), grad,
        slots, settings.reshape(1), float(rate), Penalty(0.0, 0.0),
    )  # fmt: skip
    scratch_numbers = np.empty(MAX_CHUNKS)
    if settings["method"] < FIRST:
        step = entry_point("step.update.update_parameters", theta.dtype)
        run_parallel(step, (*args, int(t), scratch_numbers), 1)
        return True
    counters = np.array([t, 1])
    log = FitLog(np.zeros((1, 4)), np.zeros((1, 2)), counters)
    step = entry_point("step.custom_update.update_by_rule", theta.dtype)
    run_parallel(step, (*args, log, scratch_numbers), 1)
    return bool(counters[1])


def _prepare_run(ops, arrays, work, train, validation, settings, rates, log, start, stop):
    """Return (entry point, its arguments, number of threads, what they point into) of a `run`."""
    theta, grad, slots, state, best = arrays
    (X, _, _, order, _), (X_val, Y_val, w_val) = train, validation
    check_fit(ops, arrays, train, validation, settings, log)
    batch = min(int(settings["batch_size"]), len(X))
    mode = held_out = select_input_mode(ops, state, X, theta.dtype, batch)
    workspace, group_losses, capacity = layout(mode.ops, batch, theta.dtype, X, buffer=work)
    if workspace.buffer is not work:  # later calls read what this one leaves in the workspace
        raise ValueError(f"a workspace of {work.size} numbers is too small for these steps")
    steps = -(-len(order) // batch)
    scored = len(X_val) if stop // steps > start // steps else 0
    required_kernels = mode.required_kernels | required_for_groups(group_losses)
    if len(X_val):
        held_out = describe_mode(mode.ops, state, X_val, theta.dtype, batch)
        required_kernels |= held_out.required_kernels | {"evaluate"}
    validation = Validation(
        Batch.of((held_out.X, Y_val, w_val), np.arange(scored)),
        np.empty((-(-scored // workspace.ld), 3)),
        best or BestEpoch(np.empty(0), theta[:0], state[:0]),
    )
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "fit", required_kernels, settings),
        Model(mode.ops, theta, state), grad, slots, workspace, group_losses,
        train._replace(X=mode.X), validation, settings.reshape(1), rates, log, start, stop,
    )  # fmt: skip
    n_threads = count_threads(mode.ops, 3 * batch, stop - start, lambda: int(settings["threads"]))
    run_steps = entry_point("step.loop.run_steps", theta.dtype)
    return run_steps, args, min(n_threads, capacity), (mode.keepalive, held_out.keepalive)


def run(ops, arrays, work, train, validation, settings, rates, log, start, stop):
    """Take the steps start … stop − 1 of a fit; return stop, or less where the fit diverged.

    ops: the op table (rows,); arrays: the FitArrays that the steps change, and where one is wanted
    the BestEpoch by the scores of validation examples; work (size,): the vector that `workspace`
    returned, one for all calls of a fit; train: a Batch whose row_indices (k,) hold the order of
    its examples: rows of X, all of them where settings shuffle; validation: Examples, perhaps none,
    scored after each epoch; settings: an element of dtype SETTINGS; rates (stop − start,): learning
    rates; log: the FitLog, written.
    """
    run_steps, args, n_threads, _ = _prepare_run(
        ops, arrays, work, train, validation, settings, rates, log, start, stop
    )
    return run_parallel(run_steps, args, n_threads)


def run_all(runs):
    """Yield what `run` returns for each tuple of its arguments; all are prepared before the first.

    Python's code leaves the caches of the core while compiled steps run: prepared between the runs,
    each would take about twice as long.
    """
    for run_steps, args, n_threads, _ in [_prepare_run(*arguments) for arguments in runs]:
        yield run_parallel(run_steps, args, n_threads)
