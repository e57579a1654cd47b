"""The compiled loop over the steps of a fit, and the passes that evaluate and predict.

`kernels/interpreter.py` is the specification of these functions. All threads of a team call a
function at once; what one thread decides, the others read after a barrier.
"""

from __future__ import annotations

from ...custom_ops import FIRST
from ...opcodes import Activation, Mode
from ...records import Batch
from ..codegen.barrier import barrier_wait, is_aborted
from ..codegen.flush_to_zero import flush, restore
from ..codegen.pointers import view, view_float64, view_row
from ..compiler.array_abi import as_abi_array
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined
from ..ops.random import shuffle_rows
from ..records import MAX_CHUNKS, Penalty, Phase, Team, Workspace
from .custom_update import update_by_rule
from .forward import forward_pass
from .gradient import batch_gradient, loss_and_output_grad, total_weight
from .update import check_step_finite, update_parameters

INFERENCE, SIGMOID = int(Mode.INFERENCE), int(Activation.SIGMOID)


@indirect("T Model Workspace Batch D2 D1 i Team", requires="evaluate", entrance=True)
def evaluate_blocks(kernel_ptrs, model, workspace, batch, block_losses, score, apart, team):
    """score ← (Σ w ℓ / Σ w, hits / Σ w) over all examples of batch, a Batch.   score (2,): float64.

    ℓ: loss of an example. block_losses (blocks, 3): scratch for (cost, hits, Σ w) of each block of
    ld examples. apart: 0, the team works together on each block; 1, thread tid computes the blocks
    tid, tid + n_threads, … alone, in its own part of the workspace. With fewer than n_threads · ld
    examples the team works together in either case.
    """
    buffer, ld, offsets = workspace
    X, Y, w, row_indices, _ = batch
    last = model.ops[model.ops.size - 1].source
    first, step, own, sharing = 0, 1, buffer, team
    if apart != 0 and row_indices.size >= team.n_threads * ld:
        length = offsets.thread_base + offsets.thread_size
        first, step, own = team.tid, team.n_threads, view(buffer, team.tid * length, length)
        sharing = Team(team.barrier, 0, 1)
    own_workspace = Workspace(own, ld, offsets)
    for block in range(first, block_losses.shape[0], step):
        rows = view(row_indices, block * ld, min(ld, row_indices.size - block * ld))
        forward_pass(
            kernel_ptrs, model, last, own_workspace, X, rows, rows, 1, Phase(0, INFERENCE), sharing
        )
        if sharing.tid == 0:
            total = total_weight(w, rows)
            loss_and_output_grad(
                kernel_ptrs, model.ops, own_workspace, Batch(X, Y, w, rows, rows), 1, total,
                view_row(block_losses, block, 0, 2),
            )  # fmt: skip
            block_losses[block, 2] = total
        barrier_wait(sharing)
    barrier_wait(team)
    if team.tid == 0:
        cost = hits = total = 0.0
        for block in range(block_losses.shape[0]):
            cost += block_losses[block, 0] * block_losses[block, 2]
            hits += block_losses[block, 1]
            total += block_losses[block, 2]
        score[0] = cost / total if total > 0 else 0.0
        score[1] = hits / total if total > 0 else 0.0


@inlined
def _keep_if_best(model, best, score):
    """Copy theta and state into best, a BestEpoch, if the score (2,) of this epoch is the best."""
    value = -score[1] if best.column == 1 else score[0]
    if value < best.least[0]:
        best.least[0] = value
        for i in range(model.theta.size):
            best.theta[i] = model.theta[i]
        for i in range(model.state.size):
            best.state[i] = model.state[i]


@inlined
def _epoch_score_is_finite(kernel_ptrs, model, workspace, validation, epoch, log, apart, team):
    """log.epochs[epoch] ← (cost, hits / Σ w) of the validation examples; return: is cost finite?

    validation: a Validation, whose best is written if this epoch is. epoch: index of an epoch of
    this fit; log: a FitLog. apart: 1, threads may compute whole blocks alone; 0, the team works
    together on each. Every thread returns the same bool.
    """
    examples, block_losses, best = validation
    score = view_row(log.epochs, epoch, 0, 2)
    evaluate_blocks(kernel_ptrs, model, workspace, examples, block_losses, score, apart, team)
    if team.tid == 0 and best.least.size > 0:
        _keep_if_best(model, best, score)
    barrier_wait(team)
    return score[0] - score[0] == 0  # ∞ − ∞ and NaN − NaN are NaN


@inlined
def step_batch(examples, k, size):
    """Return the Batch of the examples k · size … of a Batch: `size` of them, the last ones fewer.

    k: index of a step in its epoch.
    """
    X, Y, w, row_indices, numbers = examples
    first = k * size
    n = min(size, row_indices.size - first)
    return Batch(X, Y, w, view(row_indices, first, n), view(numbers, first, n))


@inlined
def take_safe_step(kernel_ptrs, model, grad, slots, workspace, settings, rate, log, i, team):
    """Take step i of this call, whose gradient is known; return a bool: does the run go on?

    It does not where the step could leave numbers not finite: log.counters[1] is 0 then and nothing
    has moved. Arguments as in `check_step_finite` and `update_parameters`. A batch of Σ w = 0 moves
    nothing. The team works on the whole step.
    """
    check_step_finite(kernel_ptrs, model, grad, workspace, settings, rate, log, i, team)
    goes_on = log.counters[1] != 0 and not is_aborted(team)
    if goes_on and log.steps[i, 2] > 0:
        penalty = Penalty(settings[0].l2 / log.steps[i, 2], settings[0].l1 / log.steps[i, 2])
        squares = view_float64(workspace.buffer, workspace.offsets.thread_base, MAX_CHUNKS)
        if settings[0].method < FIRST:
            update_parameters(
                kernel_ptrs, model, grad, slots, settings, rate, penalty, log.counters[0], squares,
                team,
            )  # fmt: skip
        else:
            update_by_rule(
                kernel_ptrs, model, grad, slots, settings, rate, penalty, log, squares, team
            )
        barrier_wait(team)
        goes_on = log.counters[1] != 0
    return goes_on


@entry(
    "T Model F1 F2 Workspace D2 Batch Validation S D1 FitLog i i Team", requires="fit", returns="i"
)
def run_steps(
    kernel_ptrs, model, grad, slots, workspace, group_losses, train, validation, settings, rates,
    log, start, stop, team,
):  # fmt: skip
    """Take the steps start … stop−1 of a fit; return stop, or an earlier step where the run ended.

    It ends before a step that could leave numbers not finite, log.counters[1] being 0 then, or
    after an epoch whose validation cost is not finite. grad (p,), group_losses (groups, 2):
    scratch. slots (s, p): the optimiser's memory. settings (1,): a SETTINGS record. rates
    (stop − start,): learning rates. log: a FitLog, written. train: a Batch of the examples of an
    epoch; an epoch shuffles its row_indices, which are its numbers then, if settings[0].shuffle is
    1. If start > 0, train and workspace are as the call before left them. validation: a Validation,
    scored after each epoch unless its Batch is empty.
    """
    batch, m, row_indices = settings[0].batch_size, train.row_indices.size, train.row_indices
    team = Team(as_abi_array(team.barrier), team.tid, team.n_threads)
    steps, mode, held_out = (m + batch - 1) // batch, flush(), validation.batch.row_indices.size > 0
    for step in range(start, stop):
        epoch, k = step // steps, step % steps
        if settings[0].shuffle != 0 and k == 0:
            number = settings[0].first_epoch + epoch
            shuffle_rows(kernel_ptrs, row_indices, settings[0].seed, number, team)
        own = step_batch(train, k, batch)
        # A batch of all examples, not shuffled, without validation, is laid out once in a fit.
        laid_out = step > 0 and steps == 1 and settings[0].shuffle == 0 and not held_out
        i, step_log = step - start, view_row(log.steps, step - start, 0, 3)
        if laid_out:
            step_log[2] = log.steps[i - 1, 2] if i > 0 else total_weight(own.w, own.row_indices)
        batch_gradient(
            kernel_ptrs, model, grad, workspace, own, 0 if laid_out else 1,
            Phase(settings[0].seed, settings[0].first_epoch + epoch), group_losses, step_log, team,
        )  # fmt: skip
        if not take_safe_step(
            kernel_ptrs, model, grad, slots, workspace, settings, rates[i], log, i, team
        ):
            stop = step
            break
        if k == steps - 1 and held_out and not _epoch_score_is_finite(
            kernel_ptrs, model, workspace, validation, epoch, log,
            int(group_losses.shape[0] > 1), team,
        ):  # fmt: skip
            stop = step + 1
            break
    restore(mode)
    return stop
