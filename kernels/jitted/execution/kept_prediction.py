"""Predictions of arrays whose arguments are kept: each thread keeps those of its last networks.

Settling what a call needs takes many times as long as a small prediction. What is kept depends on
the op table, the dtypes and the number of examples; theta, state and X come with each call.
"""

from __future__ import annotations

import os
import threading
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ...backend import one_thread
from ...debug import DEBUG
from ...opcodes import Precision
from ...views import aligned_scratch
from ..codegen.cpu import block_sizes
from ..first_layer.input_descriptor import describe_input, reader
from ..loader.tables import entry_point
from ..loader.unrequested import raise_if_called
from ..records import Input, Model
from ..threads import row_worker
from ..threads.helpers import MIN_PIECE, run_dealt
from ..threads.trials import Trials
from .input_mode import describe_mode
from .kernel_selection import kernel_ptrs_of
from .workspace import multiplications, prediction_block, workspace_of_scratch

MAX_NETWORKS = 32  # (network, dtype of X) pairs whose arguments a thread keeps at most
MAX_COUNTS = 64  # numbers of examples for each of them
MAX_EXAMPLES = 2**14  # of a batch; to settle what it needs is nothing beside its products
INDICES = np.arange(MAX_EXAMPLES)  # indices of examples, of which each batch takes the first ones
#: Multiplications of a batch from which on its pieces are dealt to helpers where trials say that
#: they pay, and from which on the first trial is one with helpers.
MIN_DEALT_FLOPS, MIN_LONG_FLOPS = 1_000_000, 120_000_000
#: From this many on a team predicts a batch of mixed precision, of which each piece would round and
#: pack all weights.
MIN_TEAM_FLOPS = 12_000_000
NO_MAILBOX = np.zeros(0, np.int64)  # of calls by one thread
MAX_NUMBERS = 2**17  # numbers of the widest op row for a few examples, at most


class _Kept(threading.local):
    """What each thread keeps: `networks`, a dict of _Network.

    Its keys are (op table as bytes, dtype of theta, dtype of X).
    """

    def __init__(self):
        """Begin with an empty dict; this runs in each thread that first uses the object."""
        self.networks: dict[Any, Any] = {}


_kept = _Kept()


def _forget():
    """Forget what this thread has kept: a forked child has no row workers."""
    _kept.networks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def most_few_rows(ops):
    """Return how many examples, at least 1, are predicted by dot products; ops: the op table."""
    sizes, n_in = block_sizes(), int(ops["n_in"].max())
    most = sizes.FEW_ROWS if n_in >= sizes.FEW_ROWS_MIN_FEATURES else sizes.FEW_ROWS_NARROW
    return max(1, min(most, MAX_NUMBERS // max(n_in, int(ops["n_out"].max()))))


class _FewRows:
    """The arguments of predictions of up to `most` examples, by dot products with rows of W."""

    def __init__(self, ops, theta, kind):
        """Settle them for an op table (rows,), parameters theta (p,) and X of the dtype `kind`."""
        dtype, widest = theta.dtype, max(int(ops["n_in"].max()), int(ops["n_out"].max()))
        self.most = most_few_rows(ops)
        self.half = -(-self.most * widest // 16) * 16
        self.x, _ = describe_input(np.empty((1, ops["n_in"][0]), kind))  # but for its address
        self.work = aligned_scratch(2 * self.half + 3, dtype)
        self.work[-1] = 0  # flag: which end of the units is computed first
        self.order, self.worker = np.arange(self.most), None
        shares = multiplications(ops.tobytes()) >= row_worker.MIN_ROW_FLOPS
        wanted = {reader(np.empty((1, 1), kind)), "shared rows" if shares else "few rows"}
        self.kernel_ptrs = kernel_ptrs_of(ops, dtype, "few", wanted)
        if shares:
            self.function = entry_point("step.few_rows.shared_few_rows", dtype)
            serve = entry_point("step.few_rows.serve_rows", dtype)
            self.worker = row_worker.RowWorker(serve)
        else:
            self.function = entry_point("step.few_rows.few_rows", dtype)
        self.is_new = True

    def predict(self, ops, theta, state, X, out, threads):
        """Write out (m, K) for X (m, n), m ≤ most; return True, or False if X is not finite."""
        if not X.flags.carray:
            X = X.copy()
        kernel_ptrs, work, half, order = self.kernel_ptrs, self.work, self.half, self.order
        worker = self.worker
        if worker is None:
            done = self.function(kernel_ptrs, ops, theta, state, work, half, X, self.x, order, out)
        else:
            began, model = perf_counter(), (ops, theta, state)
            done = self.function(
                kernel_ptrs, model, work, half, X, self.x, order, out, worker.barrier
            )
            if worker.is_due(began, len(X)):
                worker.judge((kernel_ptrs, ops, theta, state, work, half, order), theta, threads)
        if self.is_new:  # all examples reach the same kernels, so one check suffices
            self.is_new = False
            raise_if_called()
        return done


class _Batch(NamedTuple):
    """The arguments of predictions of one number of examples, by one number of threads."""

    function: Any  # the entry point of `step.prediction.predict_dealt`
    kernel_ptrs: Any
    own: Any  # a Workspace for this thread alone, in its scratch, which lasts
    shared: Any  # a Workspace for n_threads, in the same memory
    x: Input  # of C-contiguous X, but for its address
    order: Any  # (m,) the indices of the examples
    nonfinite: Any  # (n_threads,) int64: whether X was not finite, 0 between calls
    flops: int  # multiplications of the whole batch
    n_threads: int  # how many take pieces, at most


def _workspace(ops, m, dtype, n_threads):
    """Return a Workspace for n_threads that each take up to m examples, or None.

    It is in the scratch that this thread keeps, for fewer examples a piece if that is too small for
    several threads; None: it is too small for one.
    """
    m = min(m, prediction_block(ops.tobytes(), dtype.itemsize))
    found = workspace_of_scratch(ops, m, dtype, n_threads)
    while found is None and n_threads > 1 and m > MIN_PIECE:
        m //= 2
        found = workspace_of_scratch(ops, m, dtype, n_threads)
    return found


def _batch(ops, theta, X, n_threads):
    """Return the _Batch for X (m, n) of float32 or float64, or None if nothing can be kept for it.

    Nothing is where kernels read X in place, which they do by its scaling; where the scratch is too
    small; for more examples than MAX_EXAMPLES; and in debug mode.
    """
    m, dtype = len(X), theta.dtype
    if DEBUG or ops["A"][0] < 0 or m > MAX_EXAMPLES:
        return None
    own = _workspace(ops, m, dtype, 1)
    if own is None:
        return None
    shared = own if n_threads == 1 else _workspace(ops, m, dtype, n_threads)
    if shared is None:
        shared, n_threads = own, 1
    mode = describe_mode(ops, None, X, dtype, m)
    return _Batch(
        entry_point("step.prediction.predict_dealt", dtype),
        kernel_ptrs_of(ops, dtype, "predict", mode.required_kernels),
        own, shared, mode.X, INDICES[:m], np.zeros(n_threads, np.int64),
        m * multiplications(ops.tobytes()), n_threads,
    )  # fmt: skip


class _Network:
    """What a thread keeps for one op table, dtype of theta and dtype of X."""

    def __init__(self, ops, theta, kind):
        """Settle what few rows need; batches: a dict of _Batch, which `predict` fills."""
        self.few = _FewRows(ops, theta, kind)
        self.most = self.few.most
        self.batches: dict[tuple[int, int], Any] = {}  # by m and how many threads may be used
        self.trials: dict[int, Trials] = {}  # by the number of binary digits of m
        self.last = len(ops) - 2
        self.flops = multiplications(ops.tobytes())  # of one example
        self.is_mixed = bool((ops["precision"] == Precision.MIXED).any())
        self.reads_floats = kind.kind == "f" and kind.itemsize >= 4

    def predict(self, ops, theta, state, X, out, threads):
        """Write out (m, K) for a batch X (m, n); return False where `predict_rows` does."""
        if not (self.reads_floats and X.flags.carray):
            return False
        m, n = len(X), 1
        if m * self.flops >= (MIN_TEAM_FLOPS if self.is_mixed else MIN_DEALT_FLOPS):
            n = max(1, min(threads(), m // (2 * MIN_PIECE)))
            if n > 1 and self.is_mixed:
                return False
        found = self.batches.get((m, n), self)
        is_new = found is self
        if is_new:
            if len(self.batches) >= MAX_COUNTS:
                self.batches.clear()
            found = self.batches[m, n] = _batch(ops, theta, X, n)
        if found is None:
            return False
        x = Input(X.__array_interface__["data"][0], *found.x[1:])
        model = Model(ops, theta, state)
        if found.n_threads == 1:
            self._alone(found, model, x, out)
        else:
            self._deal(found, model, x, out)
        if is_new:
            raise_if_called()
        if any(found.nonfinite.tolist()):
            found.nonfinite[:] = 0
            return False
        return True

    def _alone(self, batch, model, x, out):
        """Predict a _Batch by this thread: out (m, K) for a Model and an Input."""
        batch.function(
            batch.kernel_ptrs, model, self.last, batch.own, x, batch.order, out, batch.nonfinite,
            NO_MAILBOX, 1,
        )  # fmt: skip

    def _deal(self, batch, model, x, out):
        """Predict a _Batch by several threads where the trials say that they pay."""
        began, digits = perf_counter(), len(out).bit_length()
        trials = self.trials.get(digits)
        if trials is None:
            trials = self.trials[digits] = Trials(batch.flops >= MIN_LONG_FLOPS)
        if trials.deals:
            args = (
                batch.kernel_ptrs, model, self.last, batch.shared, x, batch.order, out,
                batch.nonfinite,
            )  # fmt: skip
            run_dealt(batch.function, args, out.dtype, batch.n_threads, batch.flops)
        else:
            self._alone(batch, model, x, out)
        trials.note(perf_counter() - began, batch.flops)


def predict_rows(ops, key, theta, state, X, out, threads=one_thread):
    """Write out (m, K) = A of the last layer for X (m, n_in) and return True, or return False.

    False stands for X that holds NaN or infinity, and for a batch that `entry.predict` must do. If
    the last layer is one sigmoid unit, out may be (m, 2), for both classes' probabilities. key: the
    op table `ops` (rows,) as bytes, whose hash Python computes once; theta (p,): parameters; state:
    statistics; X: of a dtype in `opcodes.READ`; threads(): returns how many threads may be used.
    """
    name = key, theta.dtype, X.dtype
    found: Any = _kept.networks.get(name)
    if found is None:
        if len(_kept.networks) >= MAX_NETWORKS:
            _kept.networks.clear()
        found = _kept.networks[name] = _Network(ops, theta, X.dtype)
    part = found.few if len(X) <= found.most else found
    return part.predict(ops, theta, state, X, out, threads)
