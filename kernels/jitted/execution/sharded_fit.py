"""The call that takes steps whose batches are cut into shards, which other processes may share."""

from __future__ import annotations

import ctypes

import numpy as np

from ...records import Examples
from ...sharding import Wish
from ..api.layout import check_fit
from ..loader.tables import entry_point
from ..records import Model, Sharding
from ..threads.team import run_parallel
from .entry import count_threads
from .input_mode import select_input_mode
from .kernel_selection import kernel_ptrs_of, required_for_groups
from .workspace import layout

_Reduce = ctypes.CFUNCTYPE(ctypes.c_int64)  # a C function of no arguments that returns an int64


def _as_c_function(reduce, raised):
    """Return `reduce`, a function of Python, as a C function; its exception goes to a list.

    C cannot pass an exception on: it is appended to `raised`, and the run is asked to end.
    """

    def call():
        try:
            return int(reduce())
        except BaseException as error:
            raised.append(error)
            return int(Wish.HALT)

    return _Reduce(call)


def run_sharded(ops, arrays, work, train, settings, rates, log, start, stop, shards):
    """Take the steps start … stop − 1 of a fit; return stop, or less where the run ended early.

    ops: the op table (rows,); arrays: the FitArrays that the steps change, without `grad`; work
    (size,): the vector that `workspace` returned for the examples of one shard, one for all calls
    of a fit; train: a Batch whose row_indices (m,) hold the order of the examples; settings: an
    element of dtype SETTINGS; rates (stop − start,): learning rates; log: the FitLog, written;
    shards: a `Shards` whose `reduce` may raise any exception, which is raised here.
    """
    theta, slots, state = arrays.theta, arrays.slots, arrays.state
    X, Y, w, _, _ = train
    check_fit(ops, arrays, train, Examples(X[:0], Y[:0], w[:0]), settings, log)
    batch = min(int(settings["batch_size"]), len(X))
    own = -(-batch // shards.n_shards)  # the examples of the largest shard
    mode = select_input_mode(ops, state, X, theta.dtype, own)
    workspace, group_losses, capacity = layout(mode.ops, own, theta.dtype, X, buffer=work)
    if workspace.buffer is not work:  # all calls of a fit share it
        raise ValueError(f"a workspace of {work.size} numbers is too small for these steps")
    raised: list[BaseException] = []
    reduce = shards.reduce and _as_c_function(shards.reduce, raised)
    address = ctypes.cast(reduce, ctypes.c_void_p).value if reduce else None
    merges = np.array(shards.merges, np.int64)
    sharding = Sharding(
        shards.n_shards, shards.first, merges, shards.losses, np.zeros(1, np.int64), address or 0
    )
    required_kernels = mode.required_kernels | required_for_groups(group_losses)
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "sharded", required_kernels, settings),
        Model(mode.ops, theta, state), shards.sums, slots, workspace, group_losses,
        train._replace(X=mode.X), settings.reshape(1), rates, log, start, stop, sharding,
    )  # fmt: skip
    times = (stop - start) * len(merges)
    n_threads = count_threads(mode.ops, 3 * own, times, lambda: int(settings["threads"]))
    run_steps = entry_point("step.sharded_loop.run_sharded_steps", theta.dtype)
    done = run_parallel(run_steps, args, min(n_threads, capacity))
    if raised:
        raise raised[0]
    return done
