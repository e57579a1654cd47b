"""What programs need of the linked kernels: told by op table, settings and data."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..opcodes import OP, Kind, Loss
from . import activations, backprop, optimizers
from ._link import in_training, table
from .dense import TURNED

#: What a kind of row needs of the linked kernels, beside `elementwise`.
KINDS = {Kind.DROPOUT: "dropout", Kind.NOISE: "noise", Kind.BATCHNORM: "batchnorm"}


def _forward(ops):
    """What a program needs to compute its outputs."""
    kinds, codes = ops["kind"].tolist(), ops["code"].tolist()
    uses = {KINDS[kind] for kind in kinds if kind in KINDS}
    if uses:
        uses.add("elementwise")
    if ops["A"][0] < 0:
        uses.add("reading")
    return uses.union(activations.use(codes[row]) for row in backprop.active(kinds, codes))


def _backward(ops):
    """What it needs to be trained, beside what `in_training` adds to its other needs."""
    uses, dense = {"training", "cost", *backprop.uses(ops)}, ops[ops["kind"] == Kind.DENSE]
    if (dense["n_in"] * dense["n_out"] >= TURNED).any():
        uses.add("product")
    if (dense["rate"] > 0).any():
        uses |= {"max_norm", "finish"}
    if (ops["kind"] == Kind.BATCHNORM).any():
        uses.add("finish")
    return uses


def _wishes(settings):
    """What settings need."""
    wishes = {"training", optimizers.use(settings["method"])}
    if settings["clip_norm"] or settings["clip_value"]:
        wishes |= {"clip", "complete"}
    if settings["l2"] or settings["l1"]:
        wishes |= {"penalty", "complete"}
    if settings["shuffle"]:
        wishes.add("shuffle")
    return wishes


def addresses(ops, dtype, needs=(), settings=None):
    """The table of linked kernels, with all that these ops and settings use and what else it needs.

    needs: names of what linked kernels are `when` they are needed, of what reads X among them;
    settings: those of a training. As many threads as they name may compile, each in a process of
    its own.
    """
    if settings is None:
        return _addresses(ops.tobytes(), dtype, frozenset(needs), 1)
    needs = _wishes(settings).union(needs)
    return _addresses(ops.tobytes(), dtype, frozenset(needs), int(settings["threads"]))


@lru_cache(maxsize=256)
def _addresses(ops, dtype, needs, processes):
    """The same from the bytes of an op table, and all that else is needed."""
    ops = np.frombuffer(ops, OP)
    uses = needs | _forward(ops)
    if ops["stats"][0] == 0 and np.dtype(dtype).name in needs:
        uses |= {"pick"}
    if "training" in needs:
        uses = uses.union(map(in_training, uses), _backward(ops))
    if "cost" in uses:
        loss = Loss(ops["code"][-1])
        uses |= {"robust" if loss > Loss.CATEGORICAL_CROSS_ENTROPY else loss.name.lower()}
    return table(dtype, uses, processes)


def blocks(tally):
    """What a tally of groups of blocks needs of the linked kernels."""
    return {"blocks"} if len(tally) else set()
