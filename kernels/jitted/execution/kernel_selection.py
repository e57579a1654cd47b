"""Which linked kernels a call requires: told by its purpose, op table, settings and data.

A purpose is "single" (a row), "predict", "evaluate", "gradient" or "fit". A kernel that a call
reaches must be required by it: kernels that no call required are not compiled.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...opcodes import OP, Activation, Kind
from ..requirements import (
    MIN_PACKED_ENTRIES,
    in_training,
    of_activation,
    of_derivative,
    of_loss,
    of_method,
)
from ..step.fusion import relu_rows_below
from .compiled import compiled_kernels

#: What the kinds of rows that compiled steps run require, beside what all require; None: nothing of
#: their own by their kind alone.
KINDS = {
    Kind.INPUT: None,
    Kind.DENSE: None,
    Kind.ACTIVATION: None,
    Kind.LOSS: None,
    Kind.DROPOUT: "dropout",
    Kind.NOISE: "noise",
    Kind.BATCHNORM: "batchnorm",
}


def _for_rows(ops, purpose):
    """Return what the rows require that compute outputs, or what the loss is taken of."""
    last = len(ops) - 2 if purpose in ("single", "predict") else int(ops["source"][-1])
    required_kernels = set()
    for row in range(1, last + 1):
        kind, code = int(ops["kind"][row]), int(ops["code"][row])
        in_product = purpose != "single" and (row > 1 or ops["A"][0] >= 0)  # relu, by its epilogue
        done = (Activation.IDENTITY, Activation.RELU) if in_product else (Activation.IDENTITY,)
        if kind == Kind.ACTIVATION or (kind == Kind.DENSE and code not in done):
            required_kernels.add(of_activation(code))
        elif own := KINDS[Kind(kind)]:
            required_kernels |= {own, "elementwise"}
    return required_kernels


def _for_batches(ops, dtype, input_kernels):
    """Return what batches require, whatever is done with them.   input_kernels: what reads X."""
    required_kernels = {"batch", "tiles"}
    if ops["A"][0] < 0:
        required_kernels.add("reading")
    elif ops["stats"][0] == 0 and np.dtype(dtype).name in input_kernels:
        required_kernels.add("pick")
    return required_kernels


def _derivatives(ops):
    """Return what the rows whose activations are differentiated by kernels of their own require."""
    table, last = ops.view(np.recarray), int(ops["source"][-1])
    kinds, codes = ops["kind"].tolist(), ops["code"].tolist()
    dense = [row for row in range(1, last + 1) if kinds[row] == Kind.DENSE]
    below = {row: relu_rows_below(table, row) for row in dense}
    fused = {row - count for row, count in below.items() if count > 0}
    active = [row for row in dense if codes[row] != Activation.IDENTITY and row not in fused]
    active += [row for row in range(1, last + 1) if kinds[row] == Kind.ACTIVATION]
    return {of_derivative(codes[row]) for row in active}


def _for_gradients(ops):
    """Return what a gradient requires, beside what `in_training` adds to its other kernels."""
    required_kernels, dense = {"training", *_derivatives(ops)}, ops[ops["kind"] == Kind.DENSE]
    if (dense["n_in"] * dense["n_out"] >= MIN_PACKED_ENTRIES).any():
        required_kernels.add("product")
    return required_kernels


def _for_updates(ops):
    """Return what a step requires beside its gradient and what settings require."""
    required_kernels, dense = {"update"}, ops["kind"] == Kind.DENSE
    if (ops["rate"][dense] > 0).any():
        required_kernels |= {"max_norm", "finish"}
    if (ops["kind"] == Kind.BATCHNORM).any():
        required_kernels.add("finish")
    return required_kernels


def _for_settings(settings):
    """Return what settings require, some of it for steps only."""
    required_kernels = {of_method(int(settings["method"]))}
    if settings["clip_norm"] or settings["clip_value"]:
        required_kernels |= {"clip", "complete"}
    if settings["l2"] or settings["l1"]:
        required_kernels |= {"penalty", "complete"}
    if settings["shuffle"]:
        required_kernels.add("shuffle")
    return required_kernels


def required_for_groups(group_losses):
    """Return what a batch that is cut into groups requires.   group_losses (groups, 2)."""
    return {"blocks"} if len(group_losses) else set()


def kernel_pointers(dtype, required_kernels, processes):
    """Return the kernel pointers (n,) of a dtype, those of the required kernels filled in.

    processes: how many may compile at once.
    """
    return compiled_kernels().kernel_pointers(dtype, required_kernels, processes)


def kernel_ptrs_of(ops, dtype, purpose, required_kernels=(), settings=None):
    """Return the kernel pointers (n,) for a call, with all that its purpose requires.

    required_kernels: what else it requires, of what reads X among it; settings: of a gradient or a
    fit. As many threads as they name may compile, each in a process of its own.
    """
    wishes = set() if settings is None else _for_settings(settings)
    if purpose != "fit":
        wishes &= {"penalty"}
    processes = 1 if settings is None else int(settings["threads"])
    required_kernels = frozenset(wishes).union(required_kernels)
    return _kernel_ptrs(ops.tobytes(), dtype, purpose, required_kernels, processes)


@lru_cache(maxsize=256)
def _kernel_ptrs(ops, dtype, purpose, required_kernels, processes):
    """Return the kernel pointers (n,) for a call from the bytes of its op table.

    required_kernels: what reads X and what settings require.
    """
    ops = np.frombuffer(ops, OP)
    required = _for_rows(ops, purpose).union(required_kernels)
    required |= {"row"} if purpose == "single" else _for_batches(ops, dtype, required_kernels)
    if purpose in ("gradient", "fit"):
        required |= _for_gradients(ops) | set(map(in_training, required))
    if purpose in ("evaluate", "gradient", "fit"):
        required |= {"cost", of_loss(int(ops["code"][-1]))}
    if purpose == "fit":
        required |= _for_updates(ops)
    return kernel_pointers(dtype, frozenset(required), processes)
