"""What a call needs of the linked kernels: told by its purpose, op table, settings and data.

A purpose is "single" (a row), "predict", "evaluate", "gradient" or "fit". What a call reaches and
its needs do not name is not there, so tests call all kernels by tables that hold no more.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...opcodes import OP, Activation, Kind
from ..compiler.dispatch_table import in_training, kernel_pointers
from ..ops import activations, losses, optimizers
from ..ops.dense import TURNED
from ..step import backward

IDENTITY, RELU = Activation.IDENTITY, Activation.RELU

#: What the kinds of rows that compiled steps run need of the linked kernels, beside what all need;
#: None: nothing of their own by their kind alone.
KINDS = {
    Kind.INPUT: None,
    Kind.DENSE: None,
    Kind.ACTIVATION: None,
    Kind.LOSS: None,
    Kind.DROPOUT: "dropout",
    Kind.NOISE: "noise",
    Kind.BATCHNORM: "batchnorm",
}


def _forward(ops, purpose):
    """What the rows need that compute outputs, or what the loss is taken of."""
    last = len(ops) - 2 if purpose in ("single", "predict") else int(ops["source"][-1])
    uses = set()
    for row in range(1, last + 1):
        kind, code = int(ops["kind"][row]), int(ops["code"][row])
        floored = purpose != "single" and (row > 1 or ops["A"][0] >= 0)  # relu, by its product
        done = (IDENTITY, RELU) if floored else (IDENTITY,)
        if kind == Kind.ACTIVATION or (kind == Kind.DENSE and code not in done):
            uses.add(activations.use(code))
        elif KINDS[kind]:
            uses |= {KINDS[kind], "elementwise"}
    return uses


def _batch(ops, dtype, needs):
    """What batches need, whatever is done with them."""
    uses = {"batch", "tiles"}
    if ops["A"][0] < 0:
        uses.add("reading")
    elif ops["stats"][0] == 0 and np.dtype(dtype).name in needs:
        uses.add("pick")
    return uses


def _backward(ops):
    """What a gradient needs, beside what `in_training` adds to its other needs."""
    uses, dense = {"training", *backward.uses(ops)}, ops[ops["kind"] == Kind.DENSE]
    if (dense["n_in"] * dense["n_out"] >= TURNED).any():
        uses.add("product")
    return uses


def _update(ops):
    """What a step needs beside its gradient and what settings wish."""
    uses, dense = {"update"}, ops["kind"] == Kind.DENSE
    if (ops["rate"][dense] > 0).any():
        uses |= {"max_norm", "finish"}
    if (ops["kind"] == Kind.BATCHNORM).any():
        uses.add("finish")
    return uses


def _wishes(settings):
    """What settings need, of which some act on steps only."""
    wishes = {optimizers.use(int(settings["method"]))}
    if settings["clip_norm"] or settings["clip_value"]:
        wishes |= {"clip", "complete"}
    if settings["l2"] or settings["l1"]:
        wishes |= {"penalty", "complete"}
    if settings["shuffle"]:
        wishes.add("shuffle")
    return wishes


def addresses(ops, dtype, purpose, needs=(), settings=None):
    """The table of linked kernels, with all that a call for this purpose uses.

    needs: what else it needs, of what reads X among it; settings: of a gradient or a fit. As many
    threads as they name may compile, each in a process of its own.
    """
    wishes = set() if settings is None else _wishes(settings)
    if purpose != "fit":
        wishes &= {"penalty"}
    processes = 1 if settings is None else int(settings["threads"])
    return _addresses(ops.tobytes(), dtype, purpose, frozenset(wishes).union(needs), processes)


@lru_cache(maxsize=256)
def _addresses(ops, dtype, purpose, needs, processes):
    """The same from the bytes of an op table; needs: with those of the settings."""
    ops = np.frombuffer(ops, OP)
    uses = _forward(ops, purpose).union(needs)
    uses |= {"row"} if purpose == "single" else _batch(ops, dtype, needs)
    if purpose in ("gradient", "fit"):
        uses |= _backward(ops) | set(map(in_training, uses))
    if purpose in ("evaluate", "gradient", "fit"):
        uses |= {"cost", losses.use(int(ops["code"][-1]))}
    if purpose == "fit":
        uses |= _update(ops)
    return kernel_pointers(dtype, frozenset(uses), processes)


def blocks(tally):
    """What a tally of groups of blocks needs of the linked kernels."""
    return {"blocks"} if len(tally) else set()
