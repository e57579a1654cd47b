"""The compiled loop over the steps of a fit whose batches are cut into shards.

`kernels/sharding.py` is the specification. All threads of a team call a function at once; thread 0
calls the function that adds the sums of other processes.
"""

from __future__ import annotations

from ...records import Batch
from ...sharding import Wish
from ..codegen.barrier import barrier_wait, is_aborted
from ..codegen.flush_to_zero import flush, restore
from ..codegen.partition import static_partition
from ..codegen.pointers import call_address, fill_zero, view, view_row
from ..compiler.array_abi import as_abi_array
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined
from ..ops.random import shuffle_rows
from ..records import Phase, Team
from .gradient import add_vector, block_gradient, blocked_gradient, total_weight
from .loop import step_batch, take_safe_step

CONTINUE, LAST, HALT = int(Wish.CONTINUE), int(Wish.LAST), int(Wish.HALT)


@inlined
def _shard_gradient(
    kernel_ptrs, model, grad, workspace, batch, total, phase, group_losses, loss_hits, team
):
    """loss_hits ← (Σ w ℓ / total, hits) of a shard; grad (p,) ← gradient of the first.

    batch: a Batch, the examples of the shard, perhaps none; total: Σ w of the whole batch; phase: a
    Phase; group_losses (groups, 2): scratch as `batch_gradient` takes it; loss_hits (2,): float64.
    Every thread finds grad written when this returns.
    """
    if batch.row_indices.size == 0:
        if team.tid == 0:
            fill_zero(grad)
            loss_hits[0] = loss_hits[1] = 0
    elif group_losses.shape[0] == 0:
        block_gradient(kernel_ptrs, model, grad, workspace, batch, 1, total, phase, loss_hits, team)
    else:
        blocked_gradient(
            kernel_ptrs, model, grad, workspace, batch, total, phase, group_losses, team
        )
        if team.tid == 0:
            for group in range(group_losses.shape[0]):
                for i in range(2):
                    loss_hits[i] = group_losses[group, i] + (loss_hits[i] if group > 0 else 0.0)
    barrier_wait(team)


@indirect("T Model F2 Workspace D2 Batch Phase D1 Sharding Team", requires="sharded")
def _sharded_gradient(
    kernel_ptrs, model, sums, workspace, group_losses, batch, phase, step_log, sharding, team
):
    """step_log ← (Σ w ℓ / Σ w, hits, Σ w) of a batch; sums[0] ← gradient of the first.

    batch: a Batch, all shards together; sharding: a Sharding, whose status[0] becomes a `Wish`.
    sums (depth, p): a stack of vectors, in which the shards of this process are added up; then its
    function `reduce` adds those of others. If Σ w is 0, step_log becomes 0 and nothing else is
    written but the status. group_losses: scratch as `batch_gradient` takes it.
    """
    X, Y, w, row_indices, numbers = batch
    total, m, top = total_weight(w, row_indices), row_indices.size, 0
    if team.tid == 0:
        step_log[0], step_log[1], step_log[2] = 0.0, 0.0, total
        sharding.status[0] = CONTINUE
    if total == 0:
        barrier_wait(team)
        return
    for i in range(sharding.merges.size):
        shard = sharding.first + i
        begin, end = static_partition(m, shard, sharding.n_shards)
        n = end - begin
        _shard_gradient(
            kernel_ptrs, model, view_row(sums, top, 0, sums.shape[1]), workspace,
            Batch(X, Y, w, view(row_indices, begin, n), view(numbers, begin, n)), total, phase,
            group_losses, view_row(sharding.losses, shard, 0, 2), team,
        )  # fmt: skip
        for _ in range(sharding.merges[i]):
            p = sums.shape[1]
            add_vector(view_row(sums, top - 1, 0, p), view_row(sums, top, 0, p), team)
            barrier_wait(team)
            top -= 1
        top += 1
    if team.tid == 0:
        if sharding.reduce != 0 and not is_aborted(team):
            sharding.status[0] = call_address(sharding.reduce)
        for shard in range(sharding.n_shards):
            step_log[0] += sharding.losses[shard, 0]
            step_log[1] += sharding.losses[shard, 1]
    barrier_wait(team)


@entry(
    "T Model F2 F2 Workspace D2 Batch S D1 FitLog i i Sharding Team", requires="sharded",
    returns="i",
)  # fmt: skip
def run_sharded_steps(
    kernel_ptrs, model, sums, slots, workspace, group_losses, train, settings, rates, log, start,
    stop, sharding, team,
):  # fmt: skip
    """Take the steps start … stop−1 of a fit; return stop, or an earlier step where the run ended.

    Arguments as in `loop.run_steps`, without validation examples. sums (depth, p) and sharding, a
    Sharding, as in `_sharded_gradient`. The run also ends where the status of a reduction says so.
    """
    batch, m, row_indices = settings[0].batch_size, train.row_indices.size, train.row_indices
    team = Team(as_abi_array(team.barrier), team.tid, team.n_threads)
    steps, mode, grad = (m + batch - 1) // batch, flush(), view_row(sums, 0, 0, sums.shape[1])
    for step in range(start, stop):
        epoch, k = step // steps, step % steps
        if settings[0].shuffle != 0 and k == 0:
            number = settings[0].first_epoch + epoch
            shuffle_rows(kernel_ptrs, row_indices, settings[0].seed, number, team)
        i, step_log = step - start, view_row(log.steps, step - start, 0, 3)
        _sharded_gradient(
            kernel_ptrs, model, sums, workspace, group_losses,
            step_batch(train, k, batch),
            Phase(settings[0].seed, settings[0].first_epoch + epoch), step_log, sharding, team,
        )  # fmt: skip
        wish = sharding.status[0]
        if wish == HALT or is_aborted(team):
            stop = step
            break
        if not take_safe_step(
            kernel_ptrs, model, grad, slots, workspace, settings, rates[i], log, i, team
        ):
            stop = step
            break
        if wish == LAST:
            stop = step + 1
            break
    restore(mode)
    return stop
