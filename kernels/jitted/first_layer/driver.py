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
from ..compiler.definitions import indirect
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
    """block[j, k] = X[row_indices[j], k0 + k], scaled.   row_indices (n,); block (n, w): written.

    X: an Input; row_indices: indices of examples; k0: a feature. op: the INPUT op row; `state`: the
    flat vector that holds its statistics, by which the features are scaled. kernel_ptrs: the kernel
    pointers.
    """
    gather(kernel_ptrs, X, row_indices, k0, input_scaling(op, state), block)


@inlined
def _forward_shares(ops, X, m, itemsize, team):
    """Return a thread's share of Z (n_out, m): (first unit, last + 1, first example, last + 1).

    It is all units of some examples, in whole cache lines of Z. Where an int8 product of X takes
    the place of an INPUT op row (its A is AS_IT_IS), it is all examples of some units. ops: the op
    table; X: an Input; m: the number of examples; itemsize: bytes of a number of Z; team: a Team.
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
    several threads take shares of the examples of one group, in whole cache lines. itemsize: bytes
    of a number of Z; team: a Team.
    """
    tid, across = team.tid, team.n_threads // n_groups
    if across <= 1:
        first, last = static_partition(n_groups, tid, team.n_threads)
        return first, last, 0, m
    first, last = partition_cache_lines(m, itemsize, tid % across, across)
    return tid // across, min(tid // across + 1, n_groups), first, last


@inlined
def _n_feature_groups(op, X, capacity):
    """Return the number of groups of features whose products are summed apart, at most `capacity`.

    capacity: groups for which the workspace has room; 0: all features are summed into Z directly.
    op: the DENSE op row; X: an Input.
    """
    return min(capacity, n_narrow_tiles(op.n_in, op.n_out)) if X.kind >= INT8_NARROW else capacity


@inlined
def _thread_scratch(workspace, team):
    """Return this thread's own scratch, a view (thread_size,) of the buffer of a Workspace."""
    buffer, _, offsets = workspace
    return view(buffer, offsets.thread_base + team.tid * offsets.thread_size, offsets.thread_size)


@inlined
def _add_group_sums(Z, sums, n_out, n_groups, m):
    """Z[o, j] += sums[g, o, j] for each group g = 0 … n_groups − 1 in turn, o < n_out, j < m.

    Z: a Matrix (n_out, m). sums: the index in Z.data at which an array (n_groups, n_out, Z.ld)
    begins; its last axis holds examples.
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

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; Z (n_out, ld) in the
    Workspace; outputs: an Outputs, the thread's units; team: a Team. If the workspace has room for
    groups of features, each thread first sums some groups into it, perhaps for other examples than
    first … last − 1; after a barrier it adds all groups to its part of Z. Loops over features are
    outermost: weights of a tile stay in the cache while the examples pass.
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

    model: a Model; X: an Input; row_indices (m,): indices of examples. Z, A (n_out, ld) lie in the
    Workspace `workspace`, at op.Z · ld and op.A · ld; each thread of the Team `team` writes a
    share. Where the activation g is softmax or the identity, only Z is written. b = 0 if the layer
    has no bias.
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

    model: a Model; X: an Input; row_indices (m,): indices of examples. dZ (n_out, ld) begins at
    index dZ_offset of the Workspace's buffer; dW (n_out, n_in) begins at index op.W of the flat
    vector `grad`. Each thread of the Team `team` writes a share of dW.
    """
    op, scratch = model.ops[1], _thread_scratch(workspace, team)
    dZ, dW = Matrix(workspace.buffer, dZ_offset, workspace.ld), Matrix(grad, op.W, op.n_in)
    input_weight_gradient(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team)
