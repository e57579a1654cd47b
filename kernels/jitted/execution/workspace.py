"""The memory of a step, and how a batch is cut: not at all, into blocks, or into groups of blocks.

A block is a number of examples that pass through all layers and back before the next block begins.
A group is a sequence of blocks that one thread computes, or all threads if there is one group. In
this module "number" is an element of the network's dtype, of `itemsize` bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...debug import DEBUG
from ...opcodes import AS_IT_IS, OP, Kind, Precision
from ...partition import CACHE_LINE, pad_to_cache_lines
from ...views import aligned_scratch
from ..codegen.cpu import block_sizes, pair_pack_size
from ..first_layer.sizes import (
    FEATURE_GROUPS,
    GATHER_BLOCK_NUMBERS,
    INT8_SCRATCH,
    STRIDED_KC,
)
from ..first_layer.strategy import has_int8
from ..records import Workspace, WorkspaceOffsets
from ..threads.scratch import MAX_SCRATCH_BYTES, scratch

#: Size of a batch, in bytes of its activations and of an X that is read twice, from which on it is
#: cut into blocks. Smaller batches stay in the third-level cache, where adding up the blocks'
#: gradients takes longer than reading from the second-level cache saves.
MIN_BLOCKED_BYTES = 8 * 1024 * 1024
#: Size of a block in bytes: half of a second-level cache.
BLOCK_BYTES = 512 * 1024
#: A block has at least this many times the bytes of the gradient: adding up the blocks' gradients
#: then takes 3 % of a step of the network 12288 → 7 → 1.
GRADIENTS = 4
GROUP_GRADIENT_BYTES = 4 * 1024 * 1024  # bytes that the gradients of all groups may fill together
#: Several groups are made only if GROUP_GRADIENT_BYTES hold MIN_GROUPS gradients; a batch has at
#: most MAX_GROUPS groups.
MIN_GROUPS, MAX_GROUPS = 8, 64
#: Multiplications of a step from which on a batch too small for blocks is cut into groups. Each
#: thread computes whole groups, and their activations stay in one core's cache: batches of 256 for
#: 54 → 128 → 64 → 7 took a quarter less time on two threads (Xeon).
MIN_GROUPED_FLOPS = 6_000_000
#: For a batch cut into groups because of MIN_GROUPED_FLOPS: examples of a group, at least; groups,
#: at most, but more where a group would be larger than two blocks.
MIN_GROUP_EXAMPLES, MAX_EVEN_GROUPS = 96, 8

ROWS_PER_BLOCK = 256  # examples that an evaluation passes through all layers at a time
#: A prediction that lays X out and rounds no weights passes PREDICTION_PANEL examples on at a
#: time, not PREDICTION_BLOCK, if an example takes PANEL_MIN_FLOPS multiplications or more and the
#: weights, at most PANEL_MAX_BYTES, stay in the third-level cache.
PANEL_MIN_FLOPS, PANEL_MAX_BYTES = 100_000, 8 * 1024 * 1024


class Plan(NamedTuple):
    """How a batch is cut, and the size and parts of the workspace that it needs."""

    floats_shared: int  # numbers that the workspace has once, for all threads
    floats_per_thread: int  # numbers that the workspace has for each thread
    ld: int  # leading dimension of the matrices (n, ld): room for this many examples
    offsets: WorkspaceOffsets  # where the parts begin
    groups: int  # groups of blocks that a batch is cut into; 0: it is not cut, not even in blocks


class Layout(NamedTuple):
    """The workspace that a Plan describes, and the losses of its groups, as arrays in memory."""

    workspace: Workspace
    # (groups, 2) float64: cost and Σ w of the correctly classified examples of each group.
    group_losses: np.ndarray[Any, Any]
    capacity: int  # number of threads for which the workspace has memory


def _leading_dimension(m, itemsize):
    """Return the leading dimension of matrices (n, ld) for m examples: an odd count of cache lines.

    itemsize: bytes of a number. With an even count, like a power of two, the rows of a matrix would
    share a few sets of the cache: a product 2048 × 272 × 2048 runs at 180 GFLOP/s, and
    2048 × 256 × 2048 at 152.
    """
    ld = pad_to_cache_lines(max(m, 1), itemsize)
    return ld if ld // (CACHE_LINE // itemsize) % 2 else ld + CACHE_LINE // itemsize


def _offsets(ops, ld, itemsize, gradient=0, examples=0):
    """Return the WorkspaceOffsets for matrices (n, ld).

    ops: the op table (rows,); ld, in numbers of the network's dtype; itemsize: bytes of a number;
    gradient: numbers of a block's gradient; examples: examples of a block. gradient and examples
    are 0 where a batch is not cut.
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
    return WorkspaceOffsets(
        output_grads=output_grads,
        output_grads_stride=int(widest) * ld,
        scratch=scratch,
        targets=targets,
        weights=weights,
        group_sums=group_sums,
        block_grad=block_grad,
        thread_base=block_grad + gradient,
        thread_size=_thread_size(ops, itemsize),
        block_examples=examples,
    )


def _thread_size(ops, itemsize):
    """Return how many numbers of `itemsize` bytes a thread's scratch has.   ops: the op table."""
    if (ops["precision"] == Precision.MIXED).any():  # a block of X, and behind it packed pairs
        return GATHER_BLOCK_NUMBERS + pair_pack_size()
    integers = ops["A"][0] < 0 and has_int8(np.dtype(f"f{itemsize}"))
    return INT8_SCRATCH if integers else GATHER_BLOCK_NUMBERS


def _gradient_size(ops, itemsize):
    """Return how many numbers the gradient of all DENSE op rows has, padded to whole cache lines.

    ops: the op table (rows,); itemsize: bytes of a number.
    """
    dense = ops[ops["kind"] == Kind.DENSE]
    ends = dense["W"] + dense["n_in"] * dense["n_out"], dense["b"] + dense["n_out"]
    return pad_to_cache_lines(int(max(end.max() for end in ends)), itemsize)


@lru_cache(maxsize=256)
def multiplications(ops):
    """Return Σ n_in · n_out over the DENSE op rows, an int: multiplications for one example.

    ops: the op table as bytes.
    """
    ops = np.frombuffer(ops, OP)
    dense = ops[ops["kind"] == Kind.DENSE]
    return int((dense["n_in"] * dense["n_out"]).sum())


@lru_cache(maxsize=256)
def prediction_block(ops, itemsize):
    """Return how many examples, at most, a prediction passes through all layers at a time.

    ops: the op table as bytes; itemsize: bytes of a number of the network's dtype. The number
    changes no bit of what is predicted.
    """
    table = np.frombuffer(ops, OP)
    if table["A"][0] < 0 or (table["precision"] == Precision.MIXED).any():
        return ROWS_PER_BLOCK
    flops, sizes = multiplications(ops), block_sizes()
    fits = PANEL_MIN_FLOPS <= flops <= PANEL_MAX_BYTES // itemsize
    return sizes.PREDICTION_PANEL if fits else sizes.PREDICTION_BLOCK


@lru_cache(maxsize=256)
def plan_unblocked(ops, m, itemsize):
    """Return the Plan for batches of up to m examples that are not cut into blocks of examples.

    ops: the op table as bytes; itemsize: bytes of a number of the network's dtype.
    """
    ld = _leading_dimension(m, itemsize)
    offsets = _offsets(np.frombuffer(ops, OP), ld, itemsize)
    return Plan(offsets.thread_base, offsets.thread_size, ld, offsets, 0)


def group_size(ops, m, itemsize, gradient, block_examples):
    """Return how many of a batch's m examples a group has; 0: the batch is not cut into groups.

    ops: the op table (rows,); itemsize: bytes of a number; gradient: numbers of the gradient;
    block_examples: examples that a block of a large batch has. Groups are made only if the
    activations are at least twice as many as the parameters, if X is copied into the workspace, and
    if the step has enough multiplications. A group has about 2 · block_examples examples at most.
    The number of groups is a power of two: 2, 4 or 8 threads get equal shares, but for padding to
    cache lines.
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
    """Return the Plan for training steps with batches of up to m examples.

    A large batch is cut into blocks, a smaller one of a small network into groups; with BATCHNORM
    op rows no batch is cut. ops: the op table as bytes; itemsize: bytes of a number of the
    network's dtype; input_itemsize: bytes of an element of X if X is read twice, else 0. The number
    of threads is no argument: the bits of the results do not depend on it.
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


def workspace_of_scratch(ops, m, dtype, n_threads):
    """Return a Workspace in this thread's scratch, for n_threads that predict m examples each.

    The memory is shared with this thread's other calls. Returns None where a call would get memory
    of its own. ops: the op table (rows,); dtype: the network's.
    """
    plan = plan_unblocked(ops.tobytes(), m, dtype.itemsize)
    size = n_threads * (plan.floats_shared + plan.floats_per_thread)
    if size * dtype.itemsize > MAX_SCRATCH_BYTES:
        return None
    return Workspace(scratch(size, dtype), plan.ld, plan.offsets)


def _clear_gradients(buffer, plan):
    """Fill the gradients of groups and blocks in a workspace with zeros, for debug mode.

    buffer (size,): the workspace; plan: its Plan. Kernels add up whole vectors, also the gaps
    between two layers' parameters, and never write these gaps. Fresh memory holds zeros; debug mode
    has filled it with NaN.
    """
    offsets, first, step = plan.offsets, 0, buffer.size
    if plan.groups > 1:
        first, step = plan.floats_shared, plan.floats_per_thread
    buffer[:first] = 0
    for start in range(first, buffer.size, step):
        buffer[start + offsets.block_grad : start + offsets.thread_base] = 0


def allocate(plan, dtype, threads=1, buffer=None):
    """Return the Layout of `plan`, a Plan, for a network of `dtype`.

    buffer (size,): memory that is used if it is large enough for one thread. Otherwise, or if it is
    None, memory for `threads` threads is allocated.
    """
    capacity = 0 if buffer is None else (buffer.size - plan.floats_shared) // plan.floats_per_thread
    if capacity < 1:
        size = plan.floats_shared + threads * plan.floats_per_thread
        buffer, capacity = aligned_scratch(size, dtype), threads
        if DEBUG:
            _clear_gradients(buffer, plan)
    workspace = Workspace(buffer, plan.ld, plan.offsets)
    return Layout(workspace, np.empty((plan.groups, 2)), capacity)


def _plan(ops, m, dtype, X):
    """Return the Plan of training steps with batches of up to m examples of X.

    ops: the op table (rows,); dtype: the network's; X: an array, CSR rows or None. An array that is
    not copied into the workspace counts as memory of the step: it is read twice.
    """
    twice = isinstance(X, np.ndarray) and ops["A"][0] < 0
    return plan_blocked(ops.tobytes(), m, np.dtype(dtype).itemsize, X.itemsize if twice else 0)


def layout(ops, m, dtype, X, threads=1, buffer=None):
    """Return the Layout of training steps with batches of up to m examples of X.

    ops: the op table that `select_ops` returned; dtype: the network's. buffer (size,): memory that
    is used if it is large enough for one thread; otherwise, or if it is None, memory for `threads`
    threads is allocated.
    """
    return allocate(_plan(ops, m, dtype, X), dtype, threads, buffer)
