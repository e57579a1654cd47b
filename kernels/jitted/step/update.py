"""The update of the parameters by a gradient, and the test beforehand that all stays finite.

Every thread of a team calls these functions, each for its share of the parameters. settings is an
array (1,) that holds a SETTINGS record; θ is theta (p,), g the gradient.
"""

from __future__ import annotations

import numpy as np

from ... import overflow_guard
from ...opcodes import Kind
from ...partition import CACHE_LINE
from ...records import StepNumbers
from ..codegen.barrier import barrier_wait
from ..codegen.partition import (
    divide,
    pad_to_cache_lines,
    partition_cache_lines,
    static_partition,
)
from ..codegen.pointers import view, view_float64, view_matrix, view_row
from ..compiler.definitions import indirect
from ..compiler.jit import inlined, kernel
from ..gemm.microkernel import MR
from ..ops import optimizers
from ..records import MAX_CHUNKS, Penalty
from .forward import n_row_tiles
from .gradient import CHUNK

DENSE, BATCHNORM = int(Kind.DENSE), int(Kind.BATCHNORM)

#: Tiles of MR units for each thread from which on the weights of a layer are shared out by units,
#: as in the backward pass; the weights of a layer with fewer are cut at any cache line.
TILES_PER_THREAD = 4

bound, safe = inlined(overflow_guard.bound), inlined(overflow_guard.safe)


@inlined
def tail_start(settings, n_threads):
    """Return the index (int) in theta of the first parameter behind the weights W of all layers.

    Biases and BatchNorm's γ and β lie behind. Returns 0 if n_threads is 1: one thread treats all
    parameters as one piece. settings (1,): a SETTINGS record.
    """
    return settings[0].decay if n_threads > 1 else 0


@kernel  # `inlined` would copy it into both callers and take 0.2 s more to compile
def own_parameters(ops, piece, tail, size, itemsize, team):
    """Return (begin, end): indices in theta of the parameters of `piece` that this thread changes.

    piece 0 is theta[tail:size]; piece r > 0 is W of op row r, and empty if r is not DENSE. ops
    (rows,): the op table; size: p; itemsize: bytes of a parameter. If a layer has many units, a
    thread changes the weights of units whose gradient it computed: they are in its cache. 784 → 512
    → 256 → 10 takes 4 to 11 % less time on two threads by this (Xeon).
    """
    tid, n_threads = team.tid, team.n_threads
    if piece == 0:
        first, last = partition_cache_lines(size - tail, itemsize, tid, n_threads)
        return tail + first, tail + last
    op, down = ops[piece], n_row_tiles(ops[piece].n_out)
    if op.kind != DENSE:
        return 0, 0
    # A share is whole cache lines, with the gap behind the weights. LLVM computes the numbers that
    # do not fill a vector by other instructions; which these are must not depend on the team.
    line, count = CACHE_LINE // itemsize, pad_to_cache_lines(op.n_in * op.n_out, itemsize)
    if down < TILES_PER_THREAD * n_threads:
        first, last = partition_cache_lines(count, itemsize, tid, n_threads)
        return op.W + first, op.W + last
    first, last = static_partition(down, tid, n_threads)
    end = count if tid + 1 == n_threads else last * MR * op.n_in // line * line
    return op.W + first * MR * op.n_in // line * line, op.W + end


@indirect("T F1 F1 i Penalty D1 Team", requires="penalty")
def _chunk_penalties(kernel_ptrs, theta, grad, size, penalty, partials, team):
    """partials[2k], partials[2k + 1] ← (l2/2 Σ θ² + l1 Σ |θ|, max |g|) of chunk k of theta.

    Chunk k is the parameters k · size ≤ i < (k + 1) · size; g = grad[i] + l2 θ[i] + l1 sign θ[i].
    penalty: a Penalty with l2 and l1; theta, grad (n,): the penalised parameters and their
    gradient, both only read; partials (2 · ⌈n / size⌉,) out. Threads share the chunks.
    """
    count = (theta.size + size - 1) // size
    first, last = static_partition(count, team.tid, team.n_threads)
    for k in range(first, last):
        i, n = k * size, min(size, theta.size - k * size)
        optimizers.weigh(
            kernel_ptrs, view(theta, i, n), view(grad, i, n), penalty.l2, penalty.l1,
            view(partials, 2 * k, 2),
        )  # fmt: skip


@indirect("T Model F1 Workspace S f FitLog i Team", requires="update")
def check_step_finite(kernel_ptrs, model, grad, workspace, settings, rate, log, i, team):
    """log.counters[1] ← 1 if step i leaves cost, theta and slots finite or Σ w is 0, else 0.

    i: index of the step in this call. log: a FitLog, of which also these are written: counters[0]
    is raised by counters[1] if the batch's Σ w is not 0; the penalty is added to the cost steps[i,
    0]; steps[i, 3] ← a bound of |v|, the average or velocity of gradients, after the step. steps[i,
    2] is Σ w. grad (p,): the gradient without penalty, not changed; rate: learning rate; settings
    (1,): a SETTINGS record. Every thread finds counters[1] written when it returns.
    """
    (ops, theta, _), steps = model, log.steps
    total, decay = steps[i, 2], settings[0].decay
    l2, l1 = settings[0].l2, settings[0].l1
    if total == 0 or (l2 == 0 and l1 == 0):
        decay = 0
    size = CHUNK * (1 + decay // (CHUNK * MAX_CHUNKS))
    count, _ = divide(decay + size - 1, size)
    thread_base = workspace.offsets.thread_base
    partials = view_float64(workspace.buffer, thread_base, 2 * count + team.n_threads)
    if decay > 0:
        penalty = Penalty(l2 / total, l1 / total)
        weights, slopes = view(theta, 0, decay), view(grad, 0, decay)
        _chunk_penalties(kernel_ptrs, weights, slopes, size, penalty, partials, team)
    top, tail = 0.0, tail_start(settings, team.n_threads) if decay == 0 else decay
    for piece in range(1 if decay > 0 or tail == 0 else ops.size):
        first, last = tail, grad.size
        if team.n_threads > 1:
            first, last = own_parameters(ops, piece, tail, grad.size, grad.itemsize, team)
        top = max(top, optimizers.largest(view(grad, first, last - first)))
    partials[2 * count + team.tid] = top
    barrier_wait(team)
    if team.tid == 0:
        max_abs_grad = 0.0
        for k in range(count):
            steps[i, 0] += partials[2 * k]
            max_abs_grad = max(max_abs_grad, partials[2 * k + 1])
        for thread in range(team.n_threads):
            max_abs_grad = max(max_abs_grad, partials[2 * count + thread])
        max_abs_momentum = steps[i - 1, 3] if i > 0 else settings[0].average
        steps[i, 3], log.counters[1] = max_abs_momentum, 1
        if total > 0:  # if Σ w is 0, grad is of an earlier step and nothing moves
            steps[i, 3] = bound(settings[0], rate, max_abs_grad, max_abs_momentum)
            single, cost = theta.itemsize == 4, steps[i, 0]
            finite = safe(settings[0], single, rate, cost, max_abs_grad, max_abs_momentum)
            log.counters[1] = 1 if finite else 0
            log.counters[0] += log.counters[1]
    barrier_wait(team)


@indirect("T F1 F1 S Penalty i i", requires="complete")
def complete_gradient(kernel_ptrs, theta, grad, settings, penalty, i, n):
    """grad[k] ← min(max(grad[k] + l2 θ[k] + l1 sign θ[k], −clip), clip) for i ≤ k < i + n.

    theta, grad (p,). penalty: a Penalty with l2 and l1, which act on the first settings[0].decay
    parameters alone. clip = settings[0].clip_value; 0: no bound. settings (1,): a SETTINGS record.
    """
    l2, l1 = penalty
    decayed = min(max(settings[0].decay - i, 0), n)
    if l2 != 0 or l1 != 0:
        optimizers.penalize(kernel_ptrs, view(theta, i, decayed), view(grad, i, decayed), l2, l1)
    if settings[0].clip_value > 0:
        optimizers.limit(kernel_ptrs, view(grad, i, n), settings[0].clip_value)


@indirect("T F1 F1 S Penalty i D1 Team", requires="clip")
def _chunk_squares(kernel_ptrs, theta, grad, settings, penalty, size, squares, team):
    """Add the penalty to grad (p,), clip it by value, in place; squares[k] ← Σ grad² of chunk k.

    Chunk k is grad[k · size : (k + 1) · size]; threads share the chunks. theta (p,); settings (1,):
    a SETTINGS record; penalty: a Penalty; size: numbers of a chunk; squares (MAX_CHUNKS,): float64.
    """
    count = (grad.size + size - 1) // size
    first, last = static_partition(count, team.tid, team.n_threads)
    for k in range(first, last):
        i, n = k * size, min(size, grad.size - k * size)
        complete_gradient(kernel_ptrs, theta, grad, settings, penalty, i, n)
        optimizers.square(kernel_ptrs, view(grad, i, n), view(squares, k, 1))


@inlined
def clip_factor(kernel_ptrs, theta, grad, settings, penalty, squares, team):
    """Add the penalty to grad, clip it by value, in place; return min(1, clip_norm / √Σ grad²).

    The caller multiplies grad by this float. theta, grad (p,); settings (1,): a SETTINGS record;
    penalty: a Penalty; squares (MAX_CHUNKS,): scratch for Σ grad² of each chunk. The size of a
    chunk does not depend on the number of threads; neither do the bits of the sum.
    """
    size, total = CHUNK * (1 + grad.size // (CHUNK * MAX_CHUNKS)), 0.0
    _chunk_squares(kernel_ptrs, theta, grad, settings, penalty, size, squares, team)
    barrier_wait(team)
    for k in range((grad.size + size - 1) // size):
        total += squares[k]
    length = np.sqrt(total)
    return settings[0].clip_norm / length if length > settings[0].clip_norm else 1.0


@inlined
def _step_numbers(chosen, rate, t):
    """Return the StepNumbers of the t-th step of an optimiser; t counts from 1.

    chosen: a SETTINGS record; rate: the learning rate. `interpreter.step_numbers` is the
    specification.
    """
    epsilon, gain = chosen.epsilon, 1 - chosen.beta1
    if chosen.uncorrected != 0:
        epsilon /= np.sqrt(1 - chosen.beta2**t)
    if chosen.velocity != 0:  # v = β v + rate · g already contains the learning rate
        rate, gain = 1.0, rate
    return StepNumbers(
        t, rate, gain, chosen.beta1, chosen.beta2, epsilon, chosen.weight_decay, chosen.decay
    )


@inlined
def _move(kernel_ptrs, method, theta, grad, slots, numbers, i, n):
    """Take one step of an optimiser on theta[i : i + n], along grad[i : i + n].

    theta, grad (p,); slots (s, p), s ≤ 2: the optimiser's memory, whose columns i … i + n − 1
    change. method: a `Method`; numbers: the StepNumbers, whose n_decayed counts parameters of the
    whole theta.
    """
    t, rate, gain, beta1, beta2, epsilon, weight_decay, n_decayed = numbers
    decayed = min(max(n_decayed - i, 0), n)
    optimizers.step(
        kernel_ptrs, method, view(theta, i, n), view(grad, i, n),
        view_row(slots, 0, i, n if slots.shape[0] > 0 else 0),
        view_row(slots, 1, i, n if slots.shape[0] > 1 else 0),
        StepNumbers(t, rate, gain, beta1, beta2, epsilon, weight_decay, decayed),
    )  # fmt: skip


@indirect("T O i F1 F1 Team", requires="finish")
def _finish_row(kernel_ptrs, ops, i, theta, state, team):
    """After a step, bound weight norms (op row i is DENSE) or update averages (BATCHNORM).

    ops (rows,): the op table. DENSE: W[o], the weights of unit o in theta (p,), are scaled down to
    the norm op.rate if theirs is larger; threads share the units. BATCHNORM: running ← op.rate ·
    running + (1 − op.rate) · batch, mean and variance (n,), all in state; thread 0 computes it.
    """
    op = ops[i]
    if op.kind == DENSE:
        first, last = static_partition(op.n_out, team.tid, team.n_threads)
        W = view_matrix(theta, op.W + first * op.n_in, last - first, op.n_in)
        optimizers.bound_norms(kernel_ptrs, W, op.rate)
    elif team.tid == 0:
        n = 2 * op.n_out  # mean and variance (n_out,) lie side by side
        running, batch = view(state, op.state, n), view(state, op.state + n, n)
        optimizers.blend(kernel_ptrs, running, batch, op.rate)


@inlined
def finish_rows(kernel_ptrs, model, team):
    """Bound the norms of weights and update BatchNorm's averages, all in `model`, after a step."""
    ops, theta, state = model
    for i in range(1, ops.size - 1):
        if ops[i].kind == BATCHNORM or (ops[i].kind == DENSE and ops[i].rate > 0):
            _finish_row(kernel_ptrs, ops, i, theta, state, team)


@indirect("T Model F1 F2 S f Penalty i D1 Team", requires="update", entrance=True)
def update_parameters(kernel_ptrs, model, grad, slots, settings, rate, penalty, t, squares, team):
    """theta (p,) ← the t-th step (t from 1) of the optimiser of settings, along grad (p,).

    First the gradient of `penalty` is added to grad, and grad is clipped, both in place. penalty: a
    Penalty, l2 and l1 divided by Σ w; slots (s, p): the optimiser's memory, changed; settings (1,):
    a SETTINGS record; rate: the learning rate; squares (MAX_CHUNKS,): float64 scratch. In the end
    norms of weights are bounded and BatchNorm's running averages in model.state updated.
    """
    (ops, theta, _), chosen, factor = model, settings[0], 1.0
    complete = penalty.l2 == 0 and penalty.l1 == 0 and chosen.clip_value <= 0
    if chosen.clip_norm > 0:
        factor = clip_factor(kernel_ptrs, theta, grad, settings, penalty, squares, team)
        complete = True
    numbers = _step_numbers(chosen, rate, t)
    tail = tail_start(settings, team.n_threads)
    for piece in range(1 if tail == 0 else ops.size):
        first, last = tail, theta.size
        if team.n_threads > 1:
            first, last = own_parameters(ops, piece, tail, theta.size, theta.itemsize, team)
        for i in range(first, last, CHUNK):
            n = min(CHUNK, last - i)
            if factor != 1:
                optimizers.scale(kernel_ptrs, view(grad, i, n), factor)
            elif not complete:
                complete_gradient(kernel_ptrs, theta, grad, settings, penalty, i, n)
            _move(kernel_ptrs, chosen.method, theta, grad, slots, numbers, i, n)
    barrier_wait(team)
    finish_rows(kernel_ptrs, model, team)
