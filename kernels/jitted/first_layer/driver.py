"""The first DENSE op row of a network when it multiplies the user's array X directly.

Forward, the threads of a team share the examples, the units, or, where there are many features,
groups of features; in the gradient they share the features. If groups divide evenly, a thread reads
the same features in both passes: logistic regression on images took 0.7 of the time on two threads.
The sums of groups are added up in the order of the groups, whichever thread computed them.
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
    """Block (n, w) = X[row_indices, k0 : k0 + w], scaled by the INPUT op row `op`.

    row_indices (n,): indices of examples. state: the vector with the statistics of the scaling.
    """
    gather(kernel_ptrs, X, row_indices, k0, input_scaling(op, state), block)


@inlined
def _forward_shares(ops, X, m, itemsize, team):
    """Return a thread's share of Z (n_out, m): (first unit, last + 1, first example, last + 1).

    A thread has either all units of some examples (whole cache lines of Z), or all examples of some
    units: the latter where bytes of X replace a laid-out INPUT op row (A = AS_IT_IS) as int8
    products.
    """
    n = ops[1].n_out
    if X.kind >= INT8_PACKED and ops[0].A == AS_IT_IS:
        # Sharing examples would make every thread quantise all weights.
        first, last = static_partition((n + INT8_MR - 1) // INT8_MR, team.tid, team.n_threads)
        return first * INT8_MR, min(last * INT8_MR, n), 0, m
    first, last = partition_cache_lines(m, itemsize, team.tid, team.n_threads)
    return 0, n, first, last


@inlined
def _group_shares(n_groups, m, itemsize, team):
    """Return what a thread sums: (first group of features, last + 1, first example, last + 1).

    With fewer than two threads a group, a thread takes all m examples of its groups; otherwise
    several threads take shares of the examples of one group, in whole cache lines.
    """
    tid, across = team.tid, team.n_threads // n_groups
    if across <= 1:
        first, last = static_partition(n_groups, tid, team.n_threads)
        return first, last, 0, m
    first, last = partition_cache_lines(m, itemsize, tid % across, across)
    return tid // across, min(tid // across + 1, n_groups), first, last


@inlined
def _n_feature_groups(op, X, capacity):
    """Return the number of groups of features that are summed apart, at most `capacity`.

    capacity: groups for which the workspace has room; 0: all features are summed at once. op: the
    DENSE op row.
    """
    return min(capacity, n_narrow_tiles(op.n_in, op.n_out)) if X.kind >= INT8_NARROW else capacity


@inlined
def _thread_scratch(workspace, team):
    """Return this thread's own scratch, a view (thread_size,) of the workspace."""
    buffer, _, offsets = workspace
    return view(buffer, offsets.thread_base + team.tid * offsets.thread_size, offsets.thread_size)


@inlined
def _add_group_sums(Z, sums, n_out, n_groups, m):
    """Z[o, j] += sums[g, o, j] for each group g = 0 … n_groups − 1 in turn, o < n_out, j < m.

    Z: a Matrix. sums: offset in Z's vector at which the array (n_groups, n_out, ld) begins, with
    the ld of Z.
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
    """Z[o, j] += Σₖ x[j, k] W[o, k] for a thread's units o and its examples j = first … last − 1.

    x (m, n_in): X[row_indices], scaled; Z (n_out, ld) in the workspace. outputs: the thread's
    units. With room for groups of features, threads first sum groups into the workspace, for
    examples that may differ from first … last − 1, and after a barrier add them to Z. Loops over
    features are outermost: weights of a tile stay in the cache while the examples pass.
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
    """Z = W xᵀ + b and A = g(Z) of the first DENSE op row; x (m, n_in) is X[row_indices], scaled.

    Z, A (n_out, ld) lie in the workspace; a thread of the team writes its share. Where g is softmax
    or the identity, only Z is written. b = 0 if the layer has no bias.
    """
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
    """dW[o, k] = Σⱼ dZ[o, j] x[j, k] of the first DENSE op row, for x = X[row_indices], scaled.

    dZ (n_out, ld) begins at dZ_offset of the workspace's buffer; dW (n_out, n_in) lies in the
    vector grad at op.W. A thread of the team writes its share of dW.
    """
    op, scratch = model.ops[1], _thread_scratch(workspace, team)
    dZ, dW = Matrix(workspace.buffer, dZ_offset, workspace.ld), Matrix(grad, op.W, op.n_in)
    input_weight_gradient(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team)
