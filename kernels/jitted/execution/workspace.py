"""Plans: the memory of a step, and how much of its batch goes through all layers at once."""

from __future__ import annotations

from collections import namedtuple
from functools import lru_cache

import numpy as np

from ...opcodes import AS_IT_IS, OP, Kind
from ...views import aligned_scratch
from ..first_layer import int8_gemm
from ..first_layer.driver import BLOCK_NUMBERS, CACHE_LINE, pad_to_cache_lines
from ..first_layer.quantize import ROOM
from ..first_layer.strided_gemm import PARTS, SPAN
from ..step.forward import WorkspaceOffsets

#: Bytes of what a batch reads twice and computes from which on it goes in blocks: while all lies in
#: the third-level cache, adding gradients up takes longer than reading from the second is faster.
LARGE = 8 * 1024 * 1024
#: Bytes of it that a block of examples may fill: half of a second-level cache. But four times the
#: gradient's: adding it up then takes 3 % of a step of 12288 → 7 → 1.
CACHE = 512 * 1024
GRADIENTS = 4
SUMS = 4 * 1024 * 1024  # bytes that the gradients of several groups of blocks may fill
FEWEST, MOST = 8, 64  # groups that must fit there; and of a batch
#: Multiplications of a step, all in all, from which members may take examples of their own, lest
#: activations wander between their caches; examples of such a group at least, and groups at most
#: where they fit. 54 → 128 → 64 → 7, batches of 256: a quarter less time on two threads (Xeon).
WORTH_A_GROUP = 6_000_000
ALONE, SHARES = 96, 8

#: A batch's: numbers that one workspace needs, and each member more; its width, places and groups.
Plan = namedtuple("Plan", "fixed each ld places groups")
#: An allocated one: `tally` (groups, 2) of each group's cost and hits; `room` for members.
Layout = namedtuple("Layout", "work ld places tally room")


def _width(m, size):
    """Numbers of that size from one feature to the next for m examples: an odd count of lines.

    With an even one, rows of power-of-two widths would meet in a few sets of the cache: a product
    2048 × 272 × 2048 runs at 180 GFLOP/s where 2048 × 256 × 2048 runs at 152.
    """
    width = pad_to_cache_lines.py_func(max(m, 1), size)
    return width if width // (CACHE_LINE // size) % 2 else width + CACHE_LINE // size


def _places(ops, ld, size, gradient=0, examples=0):
    """Where the parts of a workspace for ld examples and a block's gradient begin.

    size: bytes of a number.
    """
    last = ops[-1]
    widest = ops["n_out"][1:].max()
    if ops["kind"][1] != Kind.DENSE:
        widest = max(widest, ops["n_in"][1])
    inner = ops[1:-1]
    starts = [int((np.maximum(inner["A"], inner["Z"]) + inner["n_out"]).max()) * ld]
    first = ops[1]
    grouped = AS_IT_IS != ops["A"][0] < 0 and first["n_in"] >= PARTS * SPAN
    for rows in (2 * widest, 3, last["n_in"], 2, PARTS * first["n_out"] if grouped else 0):
        starts.append(starts[-1] + int(rows) * ld)
    D, *others, own = starts
    block = BLOCK_NUMBERS
    if ops["A"][0] < 0 and int8_gemm.known(np.dtype(f"f{size}")):
        block = ROOM
    return WorkspaceOffsets(D, int(widest) * ld, *others, own, own + gradient, block, examples)


def _gradient(ops, size):
    """Numbers up to the end of the gradient, in whole cache lines."""
    dense = ops[ops["kind"] == Kind.DENSE]
    ends = dense["W"] + dense["n_in"] * dense["n_out"], dense["b"] + dense["n_out"]
    return pad_to_cache_lines.py_func(int(max(end.max() for end in ends)), size)


@lru_cache(maxsize=256)
def plan_unblocked(ops, m, size):
    """Plan of batches of up to m examples that are never cut, from the bytes of an op table.

    size: bytes of a number.
    """
    ld = _width(m, size)
    places = _places(np.frombuffer(ops, OP), ld, size)
    return Plan(places.blocks, places.block, ld, places, 0)


def group_size(table, m, size, gradient, room):
    """Examples of a group where a network has at most half as many parameters as activations, or 0.

    room: examples of a block of a large batch, of which a group may be twice as large. As many
    groups as halving gives: but for what cache lines add they are shared evenly by 2, 4 and 8.
    """
    work = 3 * m * int((table["n_in"] * table["n_out"])[table["kind"] == Kind.DENSE].sum())
    many = 2 * gradient > m * int(table["n_out"][:-1].sum())
    if many or work < WORTH_A_GROUP or m < 2 * ALONE or table["A"][0] < 0:
        return 0
    parts = 2
    while (parts < SHARES and m >= 2 * parts * ALONE) or m > 2 * parts * room:
        parts *= 2
    return pad_to_cache_lines.py_func(-(-m // parts), size)


@lru_cache(maxsize=256)
def plan_blocked(ops, m, size, pixel):
    """The same of steps: a large batch is cut into blocks, a small network's into groups.

    pixel: bytes of a number of X where its rows are read twice, else 0. BatchNorm needs the whole
    batch. Nothing here depends on the number of threads, so neither do the bits.
    """
    table = np.frombuffer(ops, OP)
    gradient, line = _gradient(table, size), CACHE_LINE // size
    example = _places(table, 1, size).blocks * size + int(table["n_in"][0]) * pixel
    room = max(CACHE, GRADIENTS * gradient * size)
    examples = max(room // example // line, 1) * line
    fitting = min(SUMS // (gradient * size), MOST)
    if (table["kind"] == Kind.BATCHNORM).any():
        return plan_unblocked(ops, m, size)
    if m < max(2 * examples, LARGE // example):
        examples = group_size(table, m, size, gradient, examples)
        if examples == 0 or fitting < FEWEST:
            return plan_unblocked(ops, m, size)
    ld = _width(examples, size)
    places = _places(table, ld, size, gradient, examples)
    if fitting < FEWEST:
        return Plan(places.blocks, places.block, ld, places, 1)
    groups = min(-(-m // examples), fitting)
    return Plan(groups * gradient, places.blocks + places.block, ld, places, groups)


def allocate(plan, dtype, threads=1, work=None):
    """Return a plan's Layout in `work`, or in a new one where that is too small."""
    room = 0 if work is None else (work.size - plan.fixed) // plan.each
    if room < 1:
        work, room = aligned_scratch(plan.fixed + threads * plan.each, dtype), threads
    return Layout(work, plan.ld, plan.places, np.empty((plan.groups, 2)), room)
