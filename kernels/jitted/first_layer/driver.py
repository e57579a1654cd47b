"""First layers that read the user's array: what they multiply, where it lies or block by block.

Where rows are long, a team shares their features out, on the way forward as on the way back, and
where their groups can be dealt evenly, its members get the same ones both times: two threads took
0.7 times as long for logistic regression on images so. Sums over groups of features are added up in
one order, whoever computed them.
"""

from __future__ import annotations

from ...opcodes import AS_IT_IS, Activation
from ..codegen.pointers import fill_zero, view, view_matrix
from ..codegen.vnni import INT8_MR
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from ..gemm.inner_product import multiply_inner
from ..gemm.microkernel import multiply
from ..gemm.small_k import BETA_ONE, BETA_ZERO
from ..ops.activations import activate
from ..threads.team import barrier_wait, static_partition
from . import csr_gemm, strategy, strided_gemm
from .scaled_gather import gather

SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)

CACHE_LINE = 64  # bytes that numbers of examples are padded to: a cache line, whole vectors
BLOCK_NUMBERS = 48 * 1024  # numbers that a member reads and scales at a time: second-level cache
BLOCK_FEATURES = 528  # features of them: an odd count of cache lines, lest rows meet in few sets


@kernel
def pad_to_cache_lines(m, itemsize):
    """M rounded up to whole vectors of numbers of that size."""
    line = CACHE_LINE // itemsize
    return (m + line - 1) // line * line


@inlined
def partition_cache_lines(m, itemsize, me, team):
    """First and last of member `me`'s share of m numbers in a row: cache lines, nearly even."""
    line = CACHE_LINE // itemsize
    groups = (m + line - 1) // line
    return min(groups * me // team * line, m), min(groups * (me + 1) // team * line, m)


@inlined
def read_block(table, op, state, X, rows, k0, block):
    """Block (n, w) = features k0 … of X[rows], scaled as the INPUT row says."""
    shift = view(state, op.state, op.stats)
    factor = view(state, op.state + op.stats, op.stats)
    rest = view(state, op.state + 2 * op.stats, op.stats)
    gather(table, X, rows, k0, op.stats, shift, factor, rest, op.offset, block)


@inlined
def _shares(ops, X, m, itemsize, me, team):
    """First and last output, first and last example that a member computes: all of one of both."""
    n = ops[1].n_out
    if strategy.summed(X) and ops[0].A == AS_IT_IS:  # then all digits would be cut by every member
        first, last = static_partition((n + INT8_MR - 1) // INT8_MR, me, team)
        return first * INT8_MR, min(last * INT8_MR, n), 0, m
    first, last = partition_cache_lines(m, itemsize, me, team)
    return 0, n, first, last


@inlined
def _groups(groups, m, itemsize, me, team):
    """First and last group of features that a member sums, and first and last example.

    Where members outnumber groups, several take examples of the same one.
    """
    across = team // groups
    if across <= 1:
        first, last = static_partition(groups, me, team)
        return first, last, 0, m
    first, last = partition_cache_lines(m, itemsize, me % across, across)
    return me // across, min(me // across + 1, groups), first, last


@indirect("T O F1 F1 F1 i P X I1 i i i i I1 i i", requires="in place")
def _in_place(
    table, ops, theta, state, work, ld, places, X, rows, first, last, o0, o1, meeting, me, team
):
    """Add to Z (n_out, ld) the products with X[rows]: a member's groups, examples or outputs.

    Features are outermost: their weights stay in the cache while the examples pass.
    """
    op, sums = ops[1], places.sums
    size, z = op.n_out * ld, (op.Z + o0) * ld + first
    groups = strategy.groups(op, X, (places.own - sums) // size)
    grouped = groups > 0
    count = groups if grouped else min(1, (last - first) * (o1 - o0))
    begin, end, e, to = 0, count, first, last
    if grouped:
        begin, end, e, to = _groups(groups, rows.size, work.itemsize, me, team)
    own = view(rows, e, to - e)
    for group in range(begin, end):
        c = sums + group * size + e if grouped else z
        for o in range(op.n_out if grouped else 0):
            fill_zero(view(work, c + o * ld, to - e))
        strategy.forward(
            table, ops, theta, state, work, ld, places.blocks + me * places.block, X, own, group,
            count, o0, o1 - o0, c,
        )  # fmt: skip
    if grouped:
        barrier_wait(meeting, me, team)
    for o in range(op.n_out if grouped else 0):
        total = view(work, z + o * ld, last - first)
        for group in range(groups):
            x = view(work, sums + group * size + o * ld + first, last - first)
            for j in range(total.size):
                total[j] += x[j]


@indirect("T O F1 F1 F1 i i X I1 i", requires="by blocks")
def _by_blocks(table, ops, theta, state, work, ld, blocks, X, rows, z):
    """Add to Z (n_out, ld) at z the products with X[rows], read and scaled block by block."""
    op, tall = ops[1], BLOCK_NUMBERS // BLOCK_FEATURES
    for k in range(0, op.n_in, BLOCK_FEATURES):
        w = min(BLOCK_FEATURES, op.n_in - k)
        for j in range(0, rows.size, tall):
            n = min(tall, rows.size - j)
            read_block(
                table, ops[0], state, X, view(rows, j, n), k, view_matrix(work, blocks, n, w)
            )
            multiply_inner(
                table, n, op.n_out, w, work, blocks, w, theta, op.W + k, op.n_in, work, z + j, 1,
                ld, 1,
            )  # fmt: skip


@indirect("T O F1 F1 F1 i P X I1 F2 F2 F2 I1 i i", requires="reading")
def forward(table, ops, theta, state, work, ld, places, X, rows, Z, A, scratch, meeting, me, team):
    """Z, A (n_out, ld) of the first DENSE row."""
    op, blocks = ops[1], places.blocks + me * places.block
    o0, o1, first, last = _shares(ops, X, rows.size, work.itemsize, me, team)
    own, z = view(rows, first, last - first), op.Z * ld + first
    for o in range(o0, o1):
        b = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
        for j in range(first, pad_to_cache_lines(last, work.itemsize)):
            Z[o, j] = b
    if csr_gemm.multiplies(ops[0], X):
        csr_gemm.forward(
            table, X, own, op.n_out, op.n_in, theta, op.W, work, z, ld, blocks, BLOCK_NUMBERS
        )  # fmt: skip
    elif not strided_gemm.marked(X):
        _by_blocks(table, ops, theta, state, work, ld, blocks, X, own, z)
    else:
        _in_place(
            table, ops, theta, state, work, ld, places, X, rows, first, last, o0, o1, meeting, me,
            team,
        )  # fmt: skip
    if op.code != SOFTMAX and op.code != IDENTITY and last > first:
        activate(
            table,
            op.code,
            Z,
            A,
            first,
            pad_to_cache_lines(last, work.itemsize) - first,
            o0,
            o1,
            scratch,
        )


@indirect("T O F1 F1 F1 i i i X I1 i i", requires="by blocks in training")
def _back_by_blocks(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """dW (n_out, n_in) from blocks of X[rows], read and scaled: a member takes each team-th."""
    op, tall = ops[1], BLOCK_NUMBERS // BLOCK_FEATURES
    for tile in range(me, (op.n_in + BLOCK_FEATURES - 1) // BLOCK_FEATURES, team):
        k = tile * BLOCK_FEATURES
        w = min(BLOCK_FEATURES, op.n_in - k)
        for j in range(0, rows.size, tall):
            n = min(tall, rows.size - j)
            read_block(
                table, ops[0], state, X, view(rows, j, n), k, view_matrix(work, blocks, n, w)
            )
            multiply(
                table, op.n_out, w, n, work, D + j, ld, 1, work, blocks, w, grad, op.W + k, op.n_in,
                grad, 0, BETA_ZERO if j == 0 else BETA_ONE, 0, 0, 1.0,
            )  # fmt: skip


@indirect("T O F1 F1 F1 i i i X I1 i i", requires="reading in training")
def backward(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team):
    """dW of the first DENSE row from dZ (n_out, ld) at D and the user's array."""
    op = ops[1]
    if csr_gemm.multiplies(ops[0], X):
        csr_gemm.backward(
            table,
            X,
            rows,
            op.n_out,
            op.n_in,
            work,
            D,
            ld,
            grad,
            op.W,
            blocks,
            BLOCK_NUMBERS,
            me,
            team,
        )
    elif strided_gemm.marked(X):
        strategy.backward(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team)
    else:
        _back_by_blocks(table, ops, grad, state, work, ld, D, blocks, X, rows, me, team)
