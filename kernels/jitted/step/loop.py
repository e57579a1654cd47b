"""The compiled loop over a program: gradient, evaluate, and the run that takes the steps.

The same composition as `steps.py`, which is its specification. Every function is executed by all
members of a team at once; what one member decides is read by the others after a meeting.
"""

from __future__ import annotations

import numpy as np

from ...opcodes import Activation, Mode
from ..codegen.flush_to_zero import flush, restore
from ..codegen.pointers import view, view_float64, view_matrix, view_row
from ..compiler.array_abi import as_abi_array
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from ..ops.activations import activate
from ..ops.optimizers import largest
from ..ops.random import shuffle
from ..threads.team import barrier_wait, is_aborted, next_chunk
from .forward import forward
from .gradient import gradient, loss_and_output_grad, total_weight
from .update import CHUNKS, check_step_finite, update

INFERENCE, SIGMOID = int(Mode.INFERENCE), int(Activation.SIGMOID)


@indirect("T O F1 F1 F1 i P X F2 F1 I1 D2 D1 i I1 i i", requires="evaluate")
def evaluate(
    table, ops, theta, state, work, ld, places, X, Y, w, order, tally, result, rooms,
    meeting, me, team,
):  # fmt: skip
    """Write result = (cost, share of right examples), means by weight over all examples.

    tally (blocks of ld examples, 3): their costs, Σ w of the right ones and Σ w. Members share
    every block, or take blocks of their own, as in `predict`, where work has rooms for all: 1.
    """
    last, who, members = ops[ops.size - 1].source, me, team
    first, step, own = 0, 1, work
    if rooms != 0 and order.size >= team * ld:
        length = places.blocks + places.block
        first, step, own = me, team, view(work, me * length, length)
        who, members = 0, 1
    for block in range(first, tally.shape[0], step):
        rows = view(order, block * ld, min(ld, order.size - block * ld))
        forward(
            table, ops, last, theta, state, own, ld, places, X, rows, 1, 0, INFERENCE,
            meeting, who, members,
        )  # fmt: skip
        if who == 0:
            total = total_weight(w, rows)
            loss_and_output_grad(
                table, ops, own, ld, places, Y, w, rows, 1, total, view_row(tally, block, 0, 2)
            )
            tally[block, 2] = total
        barrier_wait(meeting, who, members)
    barrier_wait(meeting, me, team)
    if me == 0:
        cost = hits = total = 0.0
        for block in range(tally.shape[0]):
            cost += tally[block, 0] * tally[block, 2]
            hits += tally[block, 1]
            total += tally[block, 2]
        result[0] = cost / total if total > 0 else 0.0
        result[1] = hits / total if total > 0 else 0.0


@inlined
def _score(
    table, ops, theta, state, work, ld, places, X, Y, w, order, tally, result, rooms,
    meeting, me, team,
):  # fmt: skip
    """Evaluate, and tell every member whether the cost that member 0 wrote is finite."""
    evaluate(
        table, ops, theta, state, work, ld, places, X, Y, w, order, tally, result, rooms,
        meeting, me, team,
    )  # fmt: skip
    barrier_wait(meeting, me, team)
    return result[0] - result[0] == 0  # ∞ − ∞ and NaN − NaN are NaN


@inlined
def _finite(op, work, ld, m, me, team):
    """Tell whether a member's share of A (n, ld) of the INPUT row is finite for m examples."""
    top = 0.0
    for k in range(me, op.n_out, team):
        top = max(top, largest(view(work, (op.A + k) * ld, m)))
    return top < np.inf


@inlined
def _both(table, ops, last, work, ld, first, m, out):
    """Write out[first : first+m] = σ(−z), σ(z) where row `last` is a sigmoid of one unit."""
    Z, A = (
        view_matrix(work, ops[last - 1].A * ld, 1, ld),
        view_matrix(work, ops[last].A * ld, 1, ld),
    )
    for j in range(m):
        Z[0, j] = -Z[0, j]
    activate(table, SIGMOID, Z, Z, 0, m, 0, 1, Z)
    for j in range(m):
        out[first + j, 0], out[first + j, 1] = Z[0, j], A[0, j]


@kernel
def predict(
    table, ops, last, theta, state, work, ld, places, X, order, out, wrong, meeting, me, team
):
    """Write A of row `last` for all examples, block by block.   out (m, n_out) C-contiguous.

    out (m, 2) takes both classes' probabilities of one sigmoid, as in `steps`.
    wrong (team,): set to 1 by who finds a number that is not finite, where the input is laid out.

    Members share every block, or where there are blocks for all of them, take blocks of their own
    as they come: work then holds a workspace for each.
    """
    meeting, wrong = as_abi_array(meeting), view(wrong, me, 1)
    apart = team > 1 and order.size >= team * ld
    if apart:
        length = places.blocks + places.block
        work, me, team = view(work, me * length, length), 0, 1
    i = next_chunk(meeting, ld) if apart else 0
    while i < order.size:
        rows = view(order, i, min(ld, order.size - i))
        forward(
            table, ops, last, theta, state, work, ld, places, X, rows, 1, 0, INFERENCE,
            meeting, me, team,
        )  # fmt: skip
        if ops[0].A >= 0 and not _finite(ops[0], work, ld, rows.size, me, team):
            wrong[0] = 1
        A = view_matrix(work, ops[last].A * ld, ops[last].n_out, ld)
        if me == 0 and out.shape[1] > A.shape[0]:
            _both(table, ops, last, work, ld, i, rows.size, out)
        elif me == 0:
            for k in range(A.shape[0]):
                for j in range(rows.size):
                    out[i + j, k] = A[k, j]
        barrier_wait(meeting, me, team)
        i = next_chunk(meeting, ld) if apart else i + ld


@kernel
def run(
    table, ops, theta, grad, slots, state, work, ld, places, tally, X, Y, w, order, X_val, Y_val,
    w_val, order_val, tally_val, settings, rates, record, scores, counters, start, stop,
    meeting, me, team,
):  # fmt: skip
    """Take the steps start … stop−1 and return the next one: stop, unless the run diverged.

    order (m,) and work: as the call before left them, unless start is 0. counters (2,): the updates
    ever made; 1 while every step could be taken. An empty order_val: no epoch ends that is scored.
    """
    batch, m, meeting = settings[0].batch_size, order.size, as_abi_array(meeting)
    steps, mode, held = (m + batch - 1) // batch, flush(), order_val.size > 0
    for step in range(start, stop):
        epoch, k = step // steps, step % steps
        if settings[0].shuffle != 0 and k == 0:
            if me == 0:
                shuffle(table, order, settings[0].seed, settings[0].first_epoch + epoch)
            barrier_wait(meeting, me, team)
        rows = view(order, k * batch, min(batch, m - k * batch))
        # A full batch that neither a shuffle nor a validation touches is laid out once in a fit.
        fresh = 0 if step > 0 and steps == 1 and settings[0].shuffle == 0 and not held else 1
        result = view_row(record, step - start, 0, 3)
        if fresh == 0:
            result[2] = record[step - start - 1, 2] if step > start else total_weight(w, rows)
        gradient(
            table, ops, theta, grad, state, work, ld, places, X, Y, w, rows, fresh, settings,
            settings[0].first_epoch + epoch, tally, result, meeting, me, team,
        )  # fmt: skip
        check_step_finite(
            table, ops, theta, grad, work, places, settings, rates[step - start], counters, record,
            step - start, meeting, me, team,
        )  # fmt: skip
        if counters[1] == 0 or is_aborted(meeting):
            stop = step
            break
        if result[2] > 0:
            update(
                table, ops, theta, grad, slots, state, settings, rates[step - start],
                settings[0].l2 / result[2], settings[0].l1 / result[2], counters[0],
                view_float64(work, places.blocks, CHUNKS), meeting, me, team,
            )  # fmt: skip
            barrier_wait(meeting, me, team)
        if k == steps - 1 and held and not _score(
            table, ops, theta, state, work, ld, places, X_val, Y_val, w_val, order_val,
            tally_val, view_row(scores, epoch, 0, 2), int(tally.shape[0] > 1), meeting, me, team,
        ):  # fmt: skip
            stop = step + 1
            break
    restore(mode)
    return stop
