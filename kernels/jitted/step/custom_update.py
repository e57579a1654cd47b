"""The update of the parameters by a custom method, which is computed once before it is taken.

Nothing bounds the steps of a user's rule: a first pass over the parameters sees whether all that it
gives is finite, a second one stores it. Arguments are those of `update.update_parameters`.
"""

from __future__ import annotations

from ..codegen.barrier import barrier_wait
from ..codegen.pointers import view
from ..compiler.definitions import indirect
from ..ops import optimizers
from ..ops.custom_methods import apply_rule
from .gradient import CHUNK
from .update import clip_factor, complete_gradient, finish_rows, own_parameters, tail_start


@indirect("T Model F1 S Penalty D1 Team", requires="custom update")
def _complete_own(kernel_ptrs, model, grad, settings, penalty, squares, team):
    """Add the penalty to this thread's part of grad (p,), and clip it, in place.

    squares: scratch, as in `update.clip_factor`.
    """
    (ops, theta, _), chosen, factor = model, settings[0], 1.0
    if chosen.clip_norm > 0:
        factor = clip_factor(kernel_ptrs, theta, grad, settings, penalty, squares, team)
    elif penalty.l2 == 0 and penalty.l1 == 0 and chosen.clip_value <= 0:
        return
    tail = tail_start(settings, team.n_threads)
    for piece in range(1 if tail == 0 else ops.size):
        first, last = tail, theta.size
        if team.n_threads > 1:
            first, last = own_parameters(ops, piece, tail, theta.size, theta.itemsize, team)
        if factor != 1:
            optimizers.scale(kernel_ptrs, view(grad, first, last - first), factor)
        elif chosen.clip_norm <= 0:
            complete_gradient(kernel_ptrs, theta, grad, settings, penalty, first, last - first)


@indirect("T Model F1 F2 S f i i D1 Team", requires="custom update")
def _apply_to_own(kernel_ptrs, model, grad, slots, settings, rate, t, store, nonfinite, team):
    """Take the t-th step of a rule on this thread's parameters, or see whether all is finite.

    store: 1, theta (p,) in model and slots (s, p) change; 0, nothing does. nonfinite (2,) float64:
    [0] is raised to 1 if a number is not finite, [1] is scratch.
    """
    ops, theta, _ = model
    tail = tail_start(settings, team.n_threads)
    for piece in range(1 if tail == 0 else ops.size):
        first, last = tail, theta.size
        if team.n_threads > 1:
            first, last = own_parameters(ops, piece, tail, theta.size, theta.itemsize, team)
        for i in range(first, last, CHUNK):
            apply_rule(
                kernel_ptrs, theta, grad, slots, settings, rate, t, i, min(CHUNK, last - i), store,
                view(nonfinite, 1, 1),
            )  # fmt: skip
            nonfinite[0] = max(nonfinite[0], nonfinite[1])


@indirect("T Model F1 F2 S f Penalty FitLog D1 Team", requires="custom update", entrance=True)
def update_by_rule(kernel_ptrs, model, grad, slots, settings, rate, penalty, log, squares, team):
    """theta (p,) ← step number log.counters[0] of the rule of settings, if all of it is finite.

    If not, theta and slots stay as they are, log.counters[1] becomes 0 and counters[0] falls by 1.
    log: a FitLog; squares: scratch, at least (MAX_CHUNKS,) and (2 · n_threads,) float64.
    """
    t = log.counters[0]
    _complete_own(kernel_ptrs, model, grad, settings, penalty, squares, team)
    barrier_wait(team)  # all have read log.counters and squares
    own = view(squares, 2 * team.tid, 2)
    own[0] = 0.0
    _apply_to_own(kernel_ptrs, model, grad, slots, settings, rate, t, 0, own, team)
    barrier_wait(team)
    nonfinite = 0.0
    for thread in range(team.n_threads):
        nonfinite = max(nonfinite, squares[2 * thread])
    barrier_wait(team)  # all have read what the second pass writes
    if nonfinite != 0:
        if team.tid == 0:
            log.counters[0], log.counters[1] = t - 1, 0
    else:
        _apply_to_own(kernel_ptrs, model, grad, slots, settings, rate, t, 1, own, team)
        barrier_wait(team)
        finish_rows(kernel_ptrs, model, team)
