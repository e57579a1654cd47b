"""What programs need of the linked kernels: told by op table, settings and data."""

from __future__ import annotations

from functools import lru_cache
from itertools import compress

import numpy as np

from ..opcodes import OP, Kind, Loss, Method
from . import activations, backprop
from ._link import table
from .dense import TURNED

#: What a kind of row needs of the linked kernels.
KINDS = {Kind.DROPOUT: "dropout", Kind.NOISE: "noise", Kind.BATCHNORM: "batchnorm"}
WISHES = ("clip", "penalty", "complete", "shuffle", "method")  # what settings may need of them


@lru_cache(maxsize=256)
def _uses(ops):
    """What the bytes of an op table tell that its program uses."""
    ops = np.frombuffer(ops, OP)
    uses = {KINDS[kind] for kind in ops["kind"].tolist() if kind in KINDS}
    if uses:
        uses.add("elementwise")
    active = ops["code"][np.isin(ops["kind"], (Kind.DENSE, Kind.ACTIVATION))]
    uses.update(map(activations.use, active.tolist()), backprop.uses(ops))
    loss = Loss(ops["code"][-1])
    uses.add("robust" if loss > Loss.CATEGORICAL_CROSS_ENTROPY else loss.name.lower())
    dense = ops[ops["kind"] == Kind.DENSE]
    if (dense["n_in"] * dense["n_out"] >= TURNED).any():
        uses.add("product")
    if ops["A"][0] < 0:
        uses.add("reading")
    if (dense["rate"] > 0).any():
        uses.add("max_norm")
    if not uses.isdisjoint(("batchnorm", "max_norm")):
        uses.add("finish")
    return frozenset(uses)


def addresses(ops, dtype, needs=(), settings=None):
    """The table of linked kernels, with all that these ops and settings use and what else it needs.

    needs: names of what linked kernels are `when` they are needed, of what reads X among them;
    settings: as many threads as they name may compile, each in a process of its own.
    """
    wanted, processes = (), 1
    if settings is not None:
        processes = int(settings["threads"])
        clipped = bool(settings["clip_norm"] or settings["clip_value"])
        penalized = bool(settings["l2"] or settings["l1"])
        shuffled, other = bool(settings["shuffle"]), bool(settings["method"] > Method.ADAM)
        wanted = clipped, penalized, clipped or penalized, shuffled, other
    return _addresses(ops.tobytes(), dtype, frozenset(needs), wanted, processes)


@lru_cache(maxsize=256)
def _addresses(ops, dtype, needs, wanted, processes):
    """The same from the bytes of an op table, and whether each of WISHES is wanted."""
    uses = _uses(ops).union(needs, compress(WISHES, wanted))
    if np.frombuffer(ops, OP)["stats"][0] == 0 and np.dtype(dtype).name in needs:
        uses |= {"pick"}
    return table(dtype, uses, processes)


def blocks(tally):
    """What a tally of groups of blocks needs of the linked kernels."""
    return {"blocks"} if len(tally) else set()
