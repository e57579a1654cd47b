"""Which indirect kernels a call requires, from its purpose, op table, settings and data.

A purpose is "few" (the prediction of one or a few examples), "predict", "evaluate", "gradient",
"fit" or "sharded" (a fit whose batches are cut into shards). A requirement is a name that kernels
are defined with, like "clip" or "activation tanh"; a kernel is compiled only once a call lists its
requirement. The functions return sets of requirements.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...custom_ops import FAMILIES, FIRST
from ...opcodes import OP, Activation, Kind, Precision
from ..loader import tables
from ..requirements import (
    MIN_PACKED_ENTRIES,
    ROUNDED,
    ROUNDED_ROW,
    in_training,
    of_activation,
    of_derivative,
    of_loss,
    of_method,
)
from ..step.fusion import relu_rows_below

FITS = ("fit", "sharded")  # purposes of calls that take steps
#: For each kind of op row that compiled programs can run, the requirement that it adds to the
#: requirements of all programs; None: it adds none.
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
    """Return the set of requirements of the op rows that a call computes, without the INPUT op row.

    ops: the op table (rows,); purpose: "few" (prediction of one or a few examples), "predict",
    "evaluate", "gradient" or one of FITS. The first two compute up to the last layer, the others up
    to the op row whose output the loss reads.
    """
    last = len(ops) - 2 if purpose in ("few", "predict") else int(ops["source"][-1])
    required_kernels = set()
    for row in range(1, last + 1):
        kind, code = int(ops["kind"][row]), int(ops["code"][row])
        # The epilogue of a product computes relu, unless X is read in place or has few examples.
        in_product = purpose != "few" and (row > 1 or ops["A"][0] >= 0)
        done = (Activation.IDENTITY, Activation.RELU) if in_product else (Activation.IDENTITY,)
        if kind == Kind.DENSE and ops["precision"][row] == Precision.MIXED:
            required_kernels.add(ROUNDED_ROW if purpose == "few" else ROUNDED)
        if kind == Kind.ACTIVATION or (kind == Kind.DENSE and code not in done):
            required_kernels.add(of_activation(code))
        elif own := KINDS[Kind(kind)]:
            required_kernels |= {own, "elementwise"}
    return required_kernels


def _for_batches(ops):
    """Return the set of requirements of a forward pass on a batch, whatever its purpose.

    ops: the op table (rows,).
    """
    return {"batch", "tiles"} | ({"reading"} if ops["A"][0] < 0 else set())


def _derivatives(ops):
    """Return the set of requirements of the kernels that compute dZ = dA g'(Z) for op rows.

    ops: the op table (rows,). Op rows without an activation need none. Neither does relu where the
    product that computes dA also multiplies it by relu's derivative, in its epilogue.
    """
    table, last = ops.view(np.recarray), int(ops["source"][-1])
    kinds, codes = ops["kind"].tolist(), ops["code"].tolist()
    dense = [row for row in range(1, last + 1) if kinds[row] == Kind.DENSE]
    below = {row: relu_rows_below(table, row) for row in dense}
    fused = {row - count for row, count in below.items() if count > 0}
    active = [row for row in dense if codes[row] != Activation.IDENTITY and row not in fused]
    active += [row for row in range(1, last + 1) if kinds[row] == Kind.ACTIVATION]
    return {of_derivative(codes[row]) for row in active}


def _for_gradients(ops):
    """Return the set of requirements of gradients only: training, derivatives, products for dW.

    ops: the op table (rows,).
    """
    required_kernels, dense = {"training", *_derivatives(ops)}, ops[ops["kind"] == Kind.DENSE]
    if (dense["n_in"] * dense["n_out"] >= MIN_PACKED_ENTRIES).any():
        required_kernels.add("product")
    if (dense["precision"] == Precision.MIXED).any():
        required_kernels.add(ROUNDED_ROW)  # dW of few units
    return required_kernels


def _for_updates(ops):
    """Return the set of an update's requirements that follow from the op table `ops` (rows,)."""
    required_kernels, dense = {"update"}, ops["kind"] == Kind.DENSE
    if (ops["rate"][dense] > 0).any():
        required_kernels |= {"max_norm", "finish"}
    if (ops["kind"] == Kind.BATCHNORM).any():
        required_kernels.add("finish")
    return required_kernels


def _for_settings(settings):
    """Return the set of requirements of an update of theta that follow from the settings.

    settings: an element of dtype SETTINGS. A gradient without an update needs only "penalty" of
    them.
    """
    method = int(settings["method"])
    required_kernels = {of_method(method)} | ({"custom update"} if method >= FIRST else set())
    if settings["clip_norm"] or settings["clip_value"]:
        required_kernels |= {"clip", "complete"}
    if settings["l2"] or settings["l1"]:
        required_kernels |= {"penalty", "complete"}
    if settings["shuffle"]:
        required_kernels.add("shuffle")
    return required_kernels


def required_for_groups(group_losses):
    """Return {"blocks"}, the requirement of a batch that is cut into groups, or the empty set.

    group_losses (groups, 2): losses of the groups of examples; without rows, the batch is not cut.
    """
    return {"blocks"} if len(group_losses) else set()


def kernel_pointers(dtype, requirements=frozenset(), processes=1, ahead=frozenset()):
    """Return the kernel pointers (kernels,) int64 for networks of `dtype`.

    requirements: the frozenset of a call's requirements, whose kernels are compiled or loaded;
    processes: how many may compile at the same time; ahead: a frozenset of requirements of calls to
    come, whose kernels are compiled too if any are.
    """
    custom = tuple(f"{family} " for family in FAMILIES)
    if any(requirement.startswith(custom) for requirement in requirements):
        from ..compiler import custom_kernels  # custom ops are always compiled

        return custom_kernels.kernel_pointers(dtype, requirements, processes, ahead)
    return tables.kernel_pointers(dtype, requirements, processes, ahead)


def kernel_ptrs_of(ops, dtype, purpose, required_kernels=(), settings=None):
    """Return the kernel pointers (kernels,) int64 for a call, with all kernels that it requires.

    ops: the op table (rows,); dtype: the network's; purpose: "few" (prediction of few examples),
    "predict", "evaluate", "gradient" or one of FITS; required_kernels: a set of requirements that
    do not follow from the other arguments, like those of the kernels that read X; settings: an
    element of dtype SETTINGS for a gradient, an update or a fit, else None. settings["threads"] is
    how many processes may compile at the same time.
    """
    wishes = set() if settings is None else _for_settings(settings)
    if purpose not in FITS:
        wishes &= {"penalty"}
    if purpose in ("evaluate", "gradient", *FITS):  # here, for a name can get another custom loss
        wishes |= {"cost", of_loss(int(ops["code"][-1]))}
    processes = 1 if settings is None else int(settings["threads"])
    required_kernels = frozenset(wishes).union(required_kernels)
    return _kernel_ptrs(ops.tobytes(), dtype, purpose, required_kernels, processes)


@lru_cache(maxsize=256)
def _kernel_ptrs(ops, dtype, purpose, required_kernels, processes):
    """Return the kernel pointers (kernels,) int64 for a call; `lru_cache` needs hashable arguments.

    ops: the op table as bytes; dtype: the network's; purpose: "few" (prediction of few examples),
    "predict", "evaluate", "gradient" or one of FITS; required_kernels: frozenset of the
    requirements that follow from X, from the settings and from the loss; processes: how many may
    compile at the same time.
    """
    ops = np.frombuffer(ops, OP)
    required = _for_rows(ops, purpose).union(required_kernels)
    required |= {"row"} if purpose == "few" else _for_batches(ops)
    if purpose in ("gradient", *FITS):
        required |= _for_gradients(ops) | set(map(in_training, required))
    ahead = set()
    if purpose in FITS:
        required |= _for_updates(ops) | {purpose}
        ahead = _for_rows(ops, "predict") | {"predict"}  # a prediction follows most fits
    if purpose == "predict":
        required.add("predict")
    return kernel_pointers(dtype, frozenset(required), processes, frozenset(ahead))
