"""How much work a step is: whether threads share it, and how many steps a run begins with."""

from __future__ import annotations

from . import entry
from .workspace import multiplications

#: Operations that a run begins with, and what an output of a unit takes of them beside its product:
#: its activation, loss and derivative. A core does some 10 to 50 of them in a nanosecond.
FIRST_OPERATIONS, OPERATIONS_PER_UNIT = 100_000_000, 30


def shares_steps(ops, m):
    """Return a bool: do threads share a step of m examples? ops: the op table (rows,)."""
    return 3 * m * multiplications(ops.tobytes()) >= entry.MIN_FLOPS_PER_STEP


def first_steps(ops, m):
    """Return how many steps of m examples a run begins with, at least 1: a few milliseconds.

    ops: the op table (rows,). A longer first run would delay Ctrl-C on a slow machine; a shorter
    one would cost a small network's fit another call.
    """
    units = int(ops["n_out"].sum())
    work = m * (3 * multiplications(ops.tobytes()) + OPERATIONS_PER_UNIT * units)
    return max(1, FIRST_OPERATIONS // max(work, 1))
