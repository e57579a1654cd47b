"""The memory of a step, and how much of its batch goes through all layers at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...debug import DEBUG
from ...opcodes import AS_IT_IS, OP, Kind
from ...views import aligned_scratch
from ..first_layer.sizes import (
    FEATURE_GROUPS,
    GATHER_BLOCK_NUMBERS,
    INT8_SCRATCH,
    STRIDED_KC,
)
from ..first_layer.strategy import has_int8
from ..partition import CACHE_LINE, pad_to_cache_lines
from ..records import Workspace, WorkspaceOffsets

#: Bytes of what a batch reads twice and computes from which on it goes in blocks: while all lies in
#: the third-level cache, adding gradients up takes longer than reading from the second saves.
MIN_BLOCKED_BYTES = 8 * 1024 * 1024
#: Bytes of it that a block of examples may fill: half of a second-level cache; but GRADIENTS times
#: those of the gradient at least: adding it up then takes 3 % of a step of 12288 → 7 → 1.
BLOCK_BYTES = 512 * 1024
GRADIENTS = 4
GROUP_GRADIENT_BYTES = 4 * 1024 * 1024  # bytes that the gradients of all groups may fill
MIN_GROUPS, MAX_GROUPS = 8, 64  # groups whose gradients must fit there; groups of a batch
#: Multiplications of a step from which on threads may take groups of examples of their own, lest
#: activations wander between their caches; examples of such a group at least, and groups at most
#: where they fit. 54 → 128 → 64 → 7, batches of 256: a quarter less time on two threads (Xeon).
MIN_GROUPED_FLOPS = 6_000_000
MIN_GROUP_EXAMPLES, MAX_EVEN_GROUPS = 96, 8


class Plan(NamedTuple):
    """How a batch goes through the rows, and the numbers that its workspace needs."""

    floats_shared: int  # for all threads together
    floats_per_thread: int  # for each thread that works on examples of its own
    ld: int  # numbers from one feature to the next
    offsets: WorkspaceOffsets
    groups: int  # groups of blocks that a batch is cut into; 0: it goes at once


class Layout(NamedTuple):
    """A plan in memory."""

    workspace: Workspace
    group_losses: np.ndarray[Any, Any]  # (groups, 2) float64: cost and hits of each group
    capacity: int  # threads that the workspace has memory for


def _leading_dimension(m, itemsize):
    """Return numbers from one feature to the next for m examples: an odd count of cache lines.

    With an even one, rows of power-of-two widths would meet in a few sets of the cache: a product
    2048 × 272 × 2048 runs at 180 GFLOP/s where 2048 × 256 × 2048 runs at 152.
    """
    ld = pad_to_cache_lines(max(m, 1), itemsize)
    return ld if ld // (CACHE_LINE // itemsize) % 2 else ld + CACHE_LINE // itemsize


def _offsets(ops, ld, itemsize, gradient=0, examples=0):
    """Return the WorkspaceOffsets for ld examples.

    gradient: numbers of a block's gradient; examples: those of a block; 0 where there are no
    blocks.
    """
    loss, inner, first = ops[-1], ops[1:-1], ops[1]
    widest = ops["n_out"][1:].max()
    if ops["kind"][1] != Kind.DENSE:
        widest = max(widest, ops["n_in"][1])
    grouped = AS_IT_IS != ops["A"][0] < 0 and first["n_in"] >= FEATURE_GROUPS * STRIDED_KC
    starts = [int((np.maximum(inner["A"], inner["Z"]) + inner["n_out"]).max()) * ld]
    for rows in (2 * widest, 3, loss["n_in"], 2, FEATURE_GROUPS * first["n_out"] if grouped else 0):
        starts.append(starts[-1] + int(rows) * ld)
    output_grads, scratch, targets, weights, group_sums, block_grad = starts
    integers = ops["A"][0] < 0 and has_int8(np.dtype(f"f{itemsize}"))
    return WorkspaceOffsets(
        output_grads=output_grads,
        output_grads_stride=int(widest) * ld,
        scratch=scratch,
        targets=targets,
        weights=weights,
        group_sums=group_sums,
        block_grad=block_grad,
        thread_base=block_grad + gradient,
        thread_size=INT8_SCRATCH if integers else GATHER_BLOCK_NUMBERS,
        block_examples=examples,
    )


def _gradient_size(ops, itemsize):
    """Return numbers up to the end of the gradient, in whole cache lines."""
    dense = ops[ops["kind"] == Kind.DENSE]
    ends = dense["W"] + dense["n_in"] * dense["n_out"], dense["b"] + dense["n_out"]
    return pad_to_cache_lines(int(max(end.max() for end in ends)), itemsize)


@lru_cache(maxsize=256)
def plan_unblocked(ops, m, itemsize):
    """Return the Plan of batches of up to m examples that are never cut.

    ops: the bytes of an op table; itemsize: bytes of a number.
    """
    ld = _leading_dimension(m, itemsize)
    offsets = _offsets(np.frombuffer(ops, OP), ld, itemsize)
    return Plan(offsets.thread_base, offsets.thread_size, ld, offsets, 0)


def group_size(ops, m, itemsize, gradient, block_examples):
    """Return examples of a group of a batch of m, or 0: threads share each row instead.

    Groups are for networks with at most half as many parameters (`gradient`) as activations. A
    group is at most twice as large as a block of a large batch, block_examples. There are as many
    groups as halving gives: but for what cache lines add, 2, 4 and 8 threads share them evenly.
    """
    work = 3 * m * int((ops["n_in"] * ops["n_out"])[ops["kind"] == Kind.DENSE].sum())
    many = 2 * gradient > m * int(ops["n_out"][:-1].sum())
    if many or work < MIN_GROUPED_FLOPS or m < 2 * MIN_GROUP_EXAMPLES or ops["A"][0] < 0:
        return 0
    groups = 2
    while (groups < MAX_EVEN_GROUPS and m >= 2 * groups * MIN_GROUP_EXAMPLES) or (
        m > 2 * groups * block_examples
    ):
        groups *= 2
    return pad_to_cache_lines(-(-m // groups), itemsize)


@lru_cache(maxsize=256)
def plan_blocked(ops, m, itemsize, input_itemsize):
    """Return the Plan of steps: a large batch is cut into blocks, a small network's into groups.

    input_itemsize: bytes of a number of X where its rows are read twice, else 0. BatchNorm needs
    the whole batch at once. Nothing here depends on the number of threads, so neither do the bits.
    """
    table = np.frombuffer(ops, OP)
    gradient, line = _gradient_size(table, itemsize), CACHE_LINE // itemsize
    example = _offsets(table, 1, itemsize).thread_base * itemsize
    example += int(table["n_in"][0]) * input_itemsize
    block_bytes = max(BLOCK_BYTES, GRADIENTS * gradient * itemsize)
    examples = max(block_bytes // example // line, 1) * line
    fitting = min(GROUP_GRADIENT_BYTES // (gradient * itemsize), MAX_GROUPS)
    if (table["kind"] == Kind.BATCHNORM).any():
        return plan_unblocked(ops, m, itemsize)
    if m < max(2 * examples, MIN_BLOCKED_BYTES // example):
        examples = group_size(table, m, itemsize, gradient, examples)
        if examples == 0 or fitting < MIN_GROUPS:
            return plan_unblocked(ops, m, itemsize)
    ld = _leading_dimension(examples, itemsize)
    offsets = _offsets(table, ld, itemsize, gradient, examples)
    if fitting < MIN_GROUPS:
        return Plan(offsets.thread_base, offsets.thread_size, ld, offsets, 1)
    groups = min(-(-m // examples), fitting)
    own = offsets.thread_base + offsets.thread_size
    return Plan(groups * gradient, own, ld, offsets, groups)


def _clear_gradients(buffer, plan):
    """Write zeros into the gradients of groups and blocks, as fresh memory holds them.

    Between parameters, where a cache line ends, nobody else writes them; they are added up whole.
    """
    offsets, first, step = plan.offsets, 0, buffer.size
    if plan.groups > 1:
        first, step = plan.floats_shared, plan.floats_per_thread
    buffer[:first] = 0
    for start in range(first, buffer.size, step):
        buffer[start + offsets.block_grad : start + offsets.thread_base] = 0


def allocate(plan, dtype, threads=1, buffer=None):
    """Return a plan's Layout in `buffer`, or in a new one for `threads` where that is too small."""
    capacity = 0 if buffer is None else (buffer.size - plan.floats_shared) // plan.floats_per_thread
    if capacity < 1:
        size = plan.floats_shared + threads * plan.floats_per_thread
        buffer, capacity = aligned_scratch(size, dtype), threads
        if DEBUG:
            _clear_gradients(buffer, plan)
    workspace = Workspace(buffer, plan.ld, plan.offsets)
    return Layout(workspace, np.empty((plan.groups, 2)), capacity)
