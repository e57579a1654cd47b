"""First DENSE rows that multiply the user's array directly, by kernels of its kind.

A team shares out examples or outputs, or groups of features where rows are long; and features in
the gradient. Where groups can be shared evenly, a thread gets the same features both times: two
threads took 0.7 times as long for logistic regression on images then. Sums over groups are added up
in one order, whichever thread computed them.
"""

from __future__ import annotations

from ...opcodes import AS_IT_IS, Activation
from ..codegen.barrier import barrier_wait
from ..codegen.partition import pad_to_cache_lines, partition_cache_lines, static_partition
from ..codegen.pointers import fill_zero, view, view_matrix
from ..codegen.vnni import INT8_MR
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from ..ops.activations import activate
from ..records import FeatureGroup, Matrix, Outputs
from .input_access import input_scaling
from .input_descriptor import InputKind
from .int8_narrow_gemm import n_narrow_tiles
from .kernels_by_kind import add_products, input_weight_gradient
from .scaled_gather import gather
from .strategy import GROUP_FEATURES

SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)
STRIDED, INT8_PACKED = int(InputKind.STRIDED), int(InputKind.INT8_PACKED)
INT8_NARROW = int(InputKind.INT8_NARROW)


@inlined
def read_block(kernel_ptrs, op, state, X, row_indices, k0, block):
    """Block (n, w) = features k0 … k0+w−1 of X[row_indices], scaled as the INPUT row `op` says."""
    gather(kernel_ptrs, X, row_indices, k0, input_scaling(op, state), block)


@inlined
def _forward_shares(ops, X, m, itemsize, team):
    """Return first and last + 1 output, first and last + 1 example of a thread: all of one kind."""
    n = ops[1].n_out
    if X.kind >= INT8_PACKED and ops[0].A == AS_IT_IS:  # else all threads quantise all weights
        first, last = static_partition((n + INT8_MR - 1) // INT8_MR, team.tid, team.n_threads)
        return first * INT8_MR, min(last * INT8_MR, n), 0, m
    first, last = partition_cache_lines(m, itemsize, team.tid, team.n_threads)
    return 0, n, first, last


@inlined
def _group_shares(n_groups, m, itemsize, team):
    """Return first and last + 1 group of features that a thread sums, and of examples.

    Where threads outnumber groups, several take examples of the same one.
    """
    tid, across = team.tid, team.n_threads // n_groups
    if across <= 1:
        first, last = static_partition(n_groups, tid, team.n_threads)
        return first, last, 0, m
    first, last = partition_cache_lines(m, itemsize, tid % across, across)
    return tid // across, min(tid // across + 1, n_groups), first, last


@inlined
def _n_feature_groups(op, X, capacity):
    """Return how many groups of features are summed apart: at most the workspace's capacity."""
    return min(capacity, n_narrow_tiles(op.n_in, op.n_out)) if X.kind >= INT8_NARROW else capacity


@inlined
def _thread_scratch(workspace, team):
    """Return the scratch of a thread (thread_size,)."""
    buffer, _, offsets = workspace
    return view(buffer, offsets.thread_base + team.tid * offsets.thread_size, offsets.thread_size)


@inlined
def _add_group_sums(Z, sums, n_out, n_groups, m):
    """Add the sums of all groups to Z (n_out, m), in the order of the groups.

    sums: offset of those of the first group, (n_out, m) as Z; groups follow without a gap.
    """
    buffer, z, ld = Z
    for o in range(n_out):
        total = view(buffer, z + o * ld, m)
        for group in range(n_groups):
            x = view(buffer, sums + (group * n_out + o) * ld, m)
            for j in range(m):
                total[j] += x[j]


@indirect("T Model Workspace X I1 Outputs i i Team", requires=GROUP_FEATURES)
def _forward_groups(kernel_ptrs, model, workspace, X, row_indices, outputs, first, last, team):
    """Add the products with X[row_indices] to a thread's outputs and examples of Z (n_out, ld).

    first, last: first example of the thread, and the last one + 1. Features are outermost: their
    weights stay in the cache while the examples pass.
    """
    op, (buffer, ld, offsets) = model.ops[1], workspace
    sums, size = offsets.group_sums, op.n_out * ld
    n_groups = _n_feature_groups(op, X, (offsets.block_grad - sums) // size)
    scratch = _thread_scratch(workspace, team)
    Z = Matrix(buffer, (op.Z + outputs.first) * ld + first, ld)
    begin, end, j0, j1 = 0, min(1, (last - first) * outputs.n), first, last
    if n_groups > 0:
        begin, end, j0, j1 = _group_shares(n_groups, row_indices.size, buffer.itemsize, team)
    own = view(row_indices, j0, j1 - j0)
    for group in range(begin, end):
        target, features = Z, FeatureGroup(group, max(n_groups, 1))
        if n_groups > 0:
            target = Matrix(buffer, sums + group * size + j0, ld)
            for o in range(op.n_out):
                fill_zero(view(buffer, target.offset + o * ld, j1 - j0))
        add_products(kernel_ptrs, model, X, own, features, outputs, target, scratch)
    if n_groups > 0:
        barrier_wait(team)
        _add_group_sums(Z, sums + first, op.n_out, n_groups, last - first)


@indirect("T Model Workspace X I1 Team", requires="reading")
def first_layer_forward(kernel_ptrs, model, workspace, X, row_indices, team):
    """Write Z and A (n_out, ld) of the first DENSE row from X[row_indices]."""
    (ops, theta, _), (buffer, ld, offsets) = model, workspace
    op = ops[1]
    Z = view_matrix(buffer, op.Z * ld, op.n_out, ld)
    A = view_matrix(buffer, op.A * ld, op.n_out, ld)
    o0, o1, first, last = _forward_shares(ops, X, row_indices.size, buffer.itemsize, team)
    for o in range(o0, o1):
        b = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
        for j in range(first, pad_to_cache_lines(last, buffer.itemsize)):
            Z[o, j] = b
    outputs = Outputs(o0, o1 - o0)
    if X.kind >= STRIDED:
        _forward_groups(kernel_ptrs, model, workspace, X, row_indices, outputs, first, last, team)
    else:
        own, target = view(row_indices, first, last - first), Matrix(buffer, op.Z * ld + first, ld)
        scratch = _thread_scratch(workspace, team)
        add_products(kernel_ptrs, model, X, own, FeatureGroup(0, 1), outputs, target, scratch)
    if op.code != SOFTMAX and op.code != IDENTITY and last > first:
        n = pad_to_cache_lines(last, buffer.itemsize) - first
        activate(
            kernel_ptrs, op.code, Z, A, first, n, o0, o1,
            view_matrix(buffer, offsets.scratch, 3, ld),
        )  # fmt: skip


@indirect("T Model F1 Workspace i X I1 Team", requires="reading in training")
def first_layer_backward(kernel_ptrs, model, grad, workspace, dZ_offset, X, row_indices, team):
    """Write dW of the first DENSE row from its dZ (n_out, ld) at dZ_offset and X[row_indices]."""
    op, scratch = model.ops[1], _thread_scratch(workspace, team)
    dZ, dW = Matrix(workspace.buffer, dZ_offset, workspace.ld), Matrix(grad, op.W, op.n_in)
    input_weight_gradient(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team)
