"""Predictions of a single example: what they need is made once and kept by each thread."""

from __future__ import annotations

import os
import threading
from time import perf_counter
from typing import Any

import numpy as np

from ...backend import one_thread
from ...opcodes import Kind
from ...views import aligned_scratch
from ..compiler.unrequested import raise_if_called
from ..first_layer.input_descriptor import describe_input, reader
from ..threads import row_worker
from .compiled import compiled_kernels
from .kernel_selection import kernel_ptrs_of

MAX_NETWORKS = 32  # networks whose vectors a thread keeps


class _Kept(threading.local):
    """What each thread keeps: by op table and dtypes, a row to copy into and all it needs."""

    def __init__(self):
        self.prepared: dict[Any, Any] = {}


_kept = _Kept()


def _forget():
    """Begin anew in a forked child: it has no row worker of its parent's."""
    _kept.prepared.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _prepare(ops, theta, state, kind, out, threads):
    """Return a row (1, n) of dtype `kind`, what computes it, its arguments and a RowWorker or None.

    The compiled function itself: Numba's dispatch looks at the types of all arguments each time,
    a tenth of a small net's row. What a row worker runs is compiled here, not in its thread, which
    a fork could cut short.
    """
    dtype, kernels = theta.dtype, compiled_kernels()
    widest = -(-max(int(ops["n_in"].max()), int(ops["n_out"].max())) // 16) * 16
    row = np.empty((1, ops["n_in"][0]), kind)
    X, _ = describe_input(row)
    work = aligned_scratch(2 * widest + 3, dtype)
    work[-1] = 0  # the order of the units, which `_row_layers` turns round each time
    dense = ops[ops["kind"] == Kind.DENSE]
    kernel_ptrs = kernel_ptrs_of(ops, dtype, "single", {reader(row)})
    order = np.zeros(1, np.int64)
    args, worker = (kernel_ptrs, ops, theta, state, work, widest, X, order, out), None
    if (dense["n_in"] * dense["n_out"]).sum() < row_worker.MIN_ROW_FLOPS:
        function = kernels.single_row.prepare(*args)
    else:
        worker = row_worker.RowWorker(kernels.serve_rows)
        if threads() > 1:
            worker.prepare((kernel_ptrs, ops, theta, state, work, widest, order))
        function = kernels.shared_single_row.prepare(*args, worker.barrier)
    return row, function, kernel_ptrs, work, widest, X, order, worker


def predict_row(ops, key, theta, state, X, out, threads=one_thread):
    """As `predict`, for one row X (1, n); False, and nothing written, where it is not finite.

    key: the op table as bytes, whose hash Python keeps; X: of a dtype that kernels read; threads:
    as in `predict`.
    """
    name = key, theta.dtype, X.dtype
    found: Any = _kept.prepared.get(name)
    is_first = found is None
    if is_first:
        if len(_kept.prepared) >= MAX_NETWORKS:
            _kept.prepared.clear()
        found = _kept.prepared[name] = _prepare(ops, theta, state, X.dtype, out, threads)
    row, function, kernel_ptrs, work, widest, x, order, worker = found
    row[...] = X  # asking for the address of X would take longer, 0.8 µs
    if worker is None:
        done = function(kernel_ptrs, ops, theta, state, work, widest, x, order, out)
        if is_first:  # no row of this program reaches other kernels
            raise_if_called()
        return done
    began = perf_counter()
    done = function(kernel_ptrs, ops, theta, state, work, widest, x, order, out, worker.barrier)
    if is_first:
        raise_if_called()
    if worker.is_due(began):
        worker.judge((kernel_ptrs, ops, theta, state, work, widest, order), theta, threads)
    return done
