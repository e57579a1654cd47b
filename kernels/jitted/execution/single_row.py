"""Predictions of a single example, fast: each thread keeps the arguments of its last networks."""

from __future__ import annotations

import os
import threading
from time import perf_counter
from typing import Any

import numpy as np

from ...backend import one_thread
from ...opcodes import Kind
from ...views import aligned_scratch
from ..first_layer.input_descriptor import describe_input, reader
from ..loader.tables import entry_point
from ..loader.unrequested import raise_if_called
from ..threads import row_worker
from .kernel_selection import kernel_ptrs_of

MAX_NETWORKS = 32  # (network, dtype of X) pairs whose arguments a thread keeps at most


class _Kept(threading.local):
    """What each thread keeps: `prepared`, a dict of results of `_prepare`.

    Its keys are (op table as bytes, dtype of theta, dtype of X).
    """

    def __init__(self):
        """Begin with an empty dict; this runs in each thread that first uses the object."""
        self.prepared: dict[Any, Any] = {}


_kept = _Kept()


def _forget():
    """Forget what this thread has prepared for single rows: a forked child has no row workers."""
    _kept.prepared.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _prepare(ops, theta, kind):
    """Return (function, kernel_ptrs, work, widest, X, order, worker) to predict one example.

    X: the Input that describes a row of the dtype `kind`, but for its address; function: the entry
    point of `single_row` or `shared_single_row` of `step/single_row.py`. work: (2 · widest + 3,),
    scratch that lasts between calls; widest: the largest n_in or n_out, rounded up; order (1,):
    [0], the index of the example. worker: a RowWorker, None for a small network. ops: the op table
    (rows,); theta (p,): parameters.
    """
    dtype = theta.dtype
    widest = -(-max(int(ops["n_in"].max()), int(ops["n_out"].max())) // 16) * 16
    row = np.empty((1, ops["n_in"][0]), kind)
    X, _ = describe_input(row)
    work = aligned_scratch(2 * widest + 3, dtype)
    work[-1] = 0  # flag: which end of the units is computed first; it alternates between calls
    dense = ops[ops["kind"] == Kind.DENSE]
    order, worker = np.zeros(1, np.int64), None
    shares = (dense["n_in"] * dense["n_out"]).sum() >= row_worker.MIN_ROW_FLOPS
    wanted = {reader(row), "shared row" if shares else "single row"}
    kernel_ptrs = kernel_ptrs_of(ops, dtype, "single", wanted)
    if shares:
        function = entry_point("step.single_row.shared_single_row", dtype)
        worker = row_worker.RowWorker(entry_point("step.single_row.serve_rows", dtype))
    else:
        function = entry_point("step.single_row.single_row", dtype)
    return function, kernel_ptrs, work, widest, X, order, worker


def predict_row(ops, key, theta, state, X, out, threads=one_thread):
    """Write out (1, K) = A of the last layer for one example X (1, n_in); return True.

    If X holds NaN or infinity, return False and write nothing. If the last layer is one sigmoid
    unit, out may be (1, 2), for both classes' probabilities. key: the op table `ops` (rows,) as
    bytes, whose hash Python computes once; theta (p,): parameters; state: statistics; X: of a dtype
    in `opcodes.READ`; threads(): returns how many threads may be used.
    """
    name = key, theta.dtype, X.dtype
    found: Any = _kept.prepared.get(name)
    is_first = found is None
    if is_first:
        if len(_kept.prepared) >= MAX_NETWORKS:
            _kept.prepared.clear()
        found = _kept.prepared[name] = _prepare(ops, theta, X.dtype)
    function, kernel_ptrs, work, widest, x, order, worker = found
    if not X.flags.carray:
        X = X.copy()
    if worker is None:
        done = function(kernel_ptrs, ops, theta, state, work, widest, X, x, order, out)
        if is_first:  # every example reaches the same kernels, so one check suffices
            raise_if_called()
        return done
    began, model = perf_counter(), (ops, theta, state)
    done = function(kernel_ptrs, model, work, widest, X, x, order, out, worker.barrier)
    if is_first:
        raise_if_called()
    if worker.is_due(began):
        worker.judge((kernel_ptrs, ops, theta, state, work, widest, order), theta, threads)
    return done
