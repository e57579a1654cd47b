"""The kernels that multiply an `Input`, by its kind: one signature forward, one for the gradient.

x (m, n_in) stands for X[row_indices], scaled by the INPUT op row; m = row_indices.size. Forward:
Z[o, j] += Σₖ x[j, k] W[o, k]; gradient: dW[o, k] = Σⱼ dZ[o, j] x[j, k] (o unit, j example, k
feature). `strategy.KERNELS` says which kernel serves which kind.
"""

from __future__ import annotations

from ..codegen.partition import static_partition
from ..codegen.pointers import view, view_matrix
from ..codegen.vnni import VECTOR_BYTES
from ..compiler.definitions import in_training_each, indirect_each
from ..compiler.jit import inlined
from ..gemm.epilogue import EPILOGUE_NONE
from ..gemm.inner_product import multiply_inner
from ..gemm.microkernel import multiply_tiles
from ..records import BETA_ONE, BETA_ZERO, Beta, Epilogue, Features, Matrix, Operand
from . import strategy
from .csr_gemm import csr_backward, csr_forward
from .input_access import common_scaling, input_scaling, tile_range
from .input_descriptor import InputKind
from .int8_gemm import int8_backward, int8_forward
from .int8_narrow_gemm import int8_narrow_backward, int8_narrow_forward, n_narrow_tiles
from .rounded_blocks import backward_rounded, forward_rounded
from .scaled_gather import gather
from .sizes import GATHER_BLOCK_FEATURES, GATHER_BLOCK_NUMBERS, GATHER_BLOCK_ROWS
from .strided_gemm import L1_WEIGHTS, n_strided_tiles, strided_backward, strided_forward

#: Largest number of float32 lanes of a vector on any CPU. The ranges of features that a kernel
#: takes begin at multiples of it.
MAX_LANES = 16


@inlined
def _weights(model, outputs, first):
    """Return W[outputs.first :, first :] of the first DENSE op row, a Matrix.

    model: a Model; outputs: an Outputs; first: a feature.
    """
    op = model.ops[1]
    return Matrix(model.theta, op.W + outputs.first * op.n_in + first, op.n_in)


@inlined
def _group_tiles(n_tiles, group):
    """Return (first tile, last + 1) of the FeatureGroup `group`.

    n_tiles: the number of tiles that all features are cut into.
    """
    return n_tiles * group.number // group.n_groups, n_tiles * (group.number + 1) // group.n_groups


def _forward_blocks(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[o, j] += Σₖ x[j, k] W[o, k] over all features k, for all units o and j < m.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; Z: a Matrix (n_out, m).
    Blocks of X, up to GATHER_BLOCK_ROWS × GATHER_BLOCK_FEATURES each, are copied to scratch and
    scaled. group and outputs are unused.
    """
    op, scaling = model.ops[1], input_scaling(model.ops[0], model.state)
    buffer, z, ld = Z
    for k in range(0, op.n_in, GATHER_BLOCK_FEATURES):
        w = min(GATHER_BLOCK_FEATURES, op.n_in - k)
        for j in range(0, row_indices.size, GATHER_BLOCK_ROWS):
            n = min(GATHER_BLOCK_ROWS, row_indices.size - j)
            own, block = view(row_indices, j, n), view_matrix(scratch, 0, n, w)
            gather(kernel_ptrs, X, own, k, scaling, block)
            multiply_inner(
                kernel_ptrs, n, op.n_out, w, Matrix(scratch, 0, w),
                Matrix(model.theta, op.W + k, op.n_in), Operand(buffer, z + j, 1, ld), 1,
            )  # fmt: skip


def _backward_blocks(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] x[j, k] for all units o and this thread's features k.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; dZ, dW: Matrices (n_out, m)
    and (n_out, n_in). The threads of the Team `team` take blocks of GATHER_BLOCK_FEATURES features
    in turn, copy them from X to scratch and scale them.
    """
    op, scaling = model.ops[1], input_scaling(model.ops[0], model.state)
    buffer, d, ld = dZ
    grad, c, n_in = dW
    n_blocks = (n_in + GATHER_BLOCK_FEATURES - 1) // GATHER_BLOCK_FEATURES
    for i in range(team.tid, n_blocks, team.n_threads):
        k = i * GATHER_BLOCK_FEATURES
        w = min(GATHER_BLOCK_FEATURES, n_in - k)
        for j in range(0, row_indices.size, GATHER_BLOCK_ROWS):
            n = min(GATHER_BLOCK_ROWS, row_indices.size - j)
            own, block = view(row_indices, j, n), view_matrix(scratch, 0, n, w)
            gather(kernel_ptrs, X, own, k, scaling, block)
            multiply_tiles(
                kernel_ptrs, op.n_out, w, n, Operand(buffer, d + j, ld, 1),
                Matrix(scratch, 0, w), Matrix(grad, c + k, n_in),
                Beta(BETA_ZERO if j == 0 else BETA_ONE, grad, 0), Epilogue(EPILOGUE_NONE, 0, 1.0),
            )  # fmt: skip


def _forward_csr(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[i, j] += Σₖ X[row_indices[j], k] W[outputs.first + i, k] over all features k.

    model: a Model; X: an Input of CSR rows, not scaled; row_indices (m,); outputs: an Outputs, i <
    outputs.n; Z: a Matrix (outputs.n, m). scratch: memory for packed weights. group is unused.
    """
    work = view(scratch, 0, GATHER_BLOCK_NUMBERS)
    W = _weights(model, outputs, 0)
    csr_forward(kernel_ptrs, outputs.n, X, row_indices, W, Z, work)


def _backward_csr(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] X[row_indices[j], k] for this thread's share of units o, and all k.

    model: a Model; X: an Input of CSR rows, not scaled; row_indices (m,); dZ, dW: Matrices (n_out,
    m) and (n_out, n_in). scratch: memory for a packed gradient. team: a Team.
    """
    work = view(scratch, 0, GATHER_BLOCK_NUMBERS)
    csr_backward(kernel_ptrs, model.ops[1].n_out, X, row_indices, dZ, dW, work, team)


def _forward_strided(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[i, j] += Σₖ x[j, k] W[outputs.first + i, k] over the features k of a FeatureGroup `group`.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; outputs: an Outputs, i <
    outputs.n; Z: a Matrix (outputs.n, m). X is read in place; scratch is unused.
    """
    op, scaling = model.ops[1], common_scaling(model.ops[0], model.state)
    n_tiles = n_strided_tiles(op.n_in, op.n_out)
    first, last = _group_tiles(n_tiles, group)
    for tile in range(first, last):
        k, count = tile_range(op.n_in, n_tiles, tile, MAX_LANES)
        W, features = _weights(model, outputs, k), Features(k, count)
        strided_forward(kernel_ptrs, outputs.n, X, row_indices, features, scaling, W, Z)


def _backward_strided(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] x[j, k] for all units o and this thread's features k.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; dZ, dW: Matrices (n_out, m)
    and (n_out, n_in); team: a Team. X is read in place; scratch is unused.
    """
    op, scaling = model.ops[1], common_scaling(model.ops[0], model.state)
    grad, c, n_in = dW
    n_tiles = n_strided_tiles(n_in, op.n_out)
    first, last = static_partition(n_tiles, team.tid, team.n_threads)
    for tile in range(last - 1, first - 1, -1):  # The cache still holds what forward read last.
        k, count = tile_range(n_in, n_tiles, tile, MAX_LANES)
        target, features = Matrix(grad, c + k, n_in), Features(k, count)
        strided_backward(kernel_ptrs, op.n_out, X, row_indices, features, scaling, dZ, target)


def _forward_int8(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[i, j] += Σₖ x[j, k] W[outputs.first + i, k] over the features k of a FeatureGroup `group`.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; outputs: an Outputs, i <
    outputs.n; Z: a Matrix (outputs.n, m). scratch receives packed bytes of X and quantised weights:
    tiles of features are short, for any number of units, because both must fit.
    """
    op, scaling = model.ops[1], common_scaling(model.ops[0], model.state)
    n_tiles = n_strided_tiles(op.n_in, L1_WEIGHTS)
    first, last = _group_tiles(n_tiles, group)
    for tile in range(first, last):
        k, count = tile_range(op.n_in, n_tiles, tile, MAX_LANES)
        W, features = _weights(model, outputs, k), Features(k, count)
        int8_forward(kernel_ptrs, outputs.n, X, row_indices, features, scaling, W, Z, scratch)


def _forward_int8_narrow(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[i, j] += Σₖ x[j, k] W[outputs.first + i, k] over the features k of a FeatureGroup `group`.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; outputs: an Outputs, i <
    outputs.n; Z: a Matrix (outputs.n, m). Bytes of X are read in place; scratch receives quantised
    weights.
    """
    op, scaling = model.ops[1], common_scaling(model.ops[0], model.state)
    n_tiles = n_narrow_tiles(op.n_in, op.n_out)
    first, last = _group_tiles(n_tiles, group)
    for tile in range(first, last):
        k, count = tile_range(op.n_in, n_tiles, tile, VECTOR_BYTES)
        W, features = _weights(model, outputs, k), Features(k, count)
        int8_narrow_forward(
            kernel_ptrs, outputs.n, X, row_indices, features, scaling, W, Z, scratch
        )


@inlined
def _own_features(n_features, team):
    """Return a thread's share of n_features: Features that begin at a multiple of VECTOR_BYTES.

    Its n may be 0. team: a Team.
    """
    vectors = (n_features + VECTOR_BYTES - 1) // VECTOR_BYTES
    first, last = static_partition(vectors, team.tid, team.n_threads)
    begin = first * VECTOR_BYTES
    return Features(begin, min(last * VECTOR_BYTES, n_features) - begin)


def _backward_int8(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] x[j, k] for all units o and this thread's features k.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; dZ, dW: Matrices (n_out, m)
    and (n_out, n_in); team: a Team. scratch receives packed bytes of X and quantised dZ.
    """
    op, scaling = model.ops[1], common_scaling(model.ops[0], model.state)
    features = _own_features(op.n_in, team)
    target = Matrix(dW.data, dW.offset + features.first, dW.ld)
    if features.n > 0:
        int8_backward(kernel_ptrs, op.n_out, X, row_indices, features, scaling, dZ, target, scratch)


def _backward_int8_narrow(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[0, k] = Σⱼ dZ[0, j] x[j, k] for this thread's features k.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled; dZ, dW: Matrices (1, m) and
    (1, n_in); team: a Team. Bytes of X are read in place; scratch receives quantised dZ.
    """
    op, scaling = model.ops[1], common_scaling(model.ops[0], model.state)
    features = _own_features(op.n_in, team)
    target = Matrix(dW.data, dW.offset + features.first, dW.ld)
    if features.n > 0:
        int8_narrow_backward(
            kernel_ptrs, op.n_out, X, row_indices, features, scaling, dZ, target, scratch
        )


#: {requirement: function} of the forward pass; its order gives the kernels their indices.
FORWARD = {
    strategy.GATHER_BLOCKS: _forward_blocks,
    strategy.SPARSE: _forward_csr,
    strategy.ROUNDED_BLOCKS: forward_rounded,
    strategy.STRIDED_ROWS: _forward_strided,
    strategy.INT8_FORWARD: _forward_int8,
    strategy.INT8_NARROW_FORWARD: _forward_int8_narrow,
}
#: {requirement: function} of the gradient; its order gives the kernels their indices.
BACKWARD = {
    strategy.GATHER_BLOCKS: _backward_blocks,
    strategy.SPARSE: _backward_csr,
    strategy.ROUNDED_BLOCKS: backward_rounded,
    strategy.STRIDED_ROWS: _backward_strided,
    strategy.INT8_BACKWARD: _backward_int8,
    strategy.INT8_NARROW_BACKWARD: _backward_int8_narrow,
}


def places_of(names, functions):
    """Return a tuple: for each InputKind from BLOCKS on, the index of its kernel in `functions`.

    names: {kind: requirement of its kernel}; functions: {requirement: kernel}, whose order counts.
    A kind without a kernel raises NotImplementedError.
    """
    kinds = [kind for kind in InputKind if kind != InputKind.LAID_OUT]
    missing = [kind.name for kind in kinds if names.get(kind) not in functions]
    if missing:
        raise NotImplementedError(f"strategy.KERNELS names no kernel for {', '.join(missing)}")
    return tuple([*functions].index(names[kind]) for kind in kinds)


#: The first kind that has kernels here, and at index kind − _FIRST_KIND the index of its kernel.
_FIRST_KIND = int(InputKind.BLOCKS)
_FORWARD_PLACES = places_of({k: names.forward for k, names in strategy.KERNELS.items()}, FORWARD)
_BACKWARD_PLACES = places_of({k: names.backward for k, names in strategy.KERNELS.items()}, BACKWARD)

_forward = indirect_each("T Model X I1 FeatureGroup Outputs Matrix F1", FORWARD)
_backward = indirect_each("T Model X I1 Matrix Matrix F1 Team", in_training_each(BACKWARD))


@inlined
def add_products(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[i, j] += Σₖ x[j, k] W[outputs.first + i, k] over the features k of a FeatureGroup `group`.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled by the INPUT op row; outputs:
    an Outputs, i < outputs.n; Z: a Matrix (outputs.n, m). For the kinds before STRIDED the
    group holds all features; for those of blocks `outputs` holds all units. scratch (thread_size,):
    this thread's own.
    """
    kernel = _FORWARD_PLACES[X.kind - _FIRST_KIND]
    _forward(kernel_ptrs, kernel, model, X, row_indices, group, outputs, Z, scratch)


@inlined
def input_weight_gradient(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] x[j, k] for this thread's share of dW.

    model: a Model; x (m, n_in): X[row_indices] of the Input X, scaled by the INPUT op row; dZ, dW:
    Matrices (n_out, m) and (n_out, n_in). scratch (thread_size,): this thread's own. team: a Team.
    """
    kernel = _BACKWARD_PLACES[X.kind - _FIRST_KIND]
    _backward(kernel_ptrs, kernel, model, X, row_indices, dZ, dW, scratch, team)
