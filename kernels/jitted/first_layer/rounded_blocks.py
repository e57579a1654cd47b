"""The kind ROUNDED_BLOCKS: blocks of X, copied and scaled, times W or dZ, all rounded to bfloat16.

X is scaled in float32 and then rounded. x (m, n_in) stands for X[row_indices], scaled.
"""

from __future__ import annotations

from ..codegen.pointers import view, view_matrix
from ..compiler.definitions import restrict_dtypes
from ..compiler.jit import inlined
from ..gemm.bfloat16 import multiply_rounded
from ..gemm.epilogue import EPILOGUE_NONE
from ..records import BETA_ONE, BETA_ZERO, Beta, Epilogue, Matrix, Operand
from ..requirements import ROUNDED_DTYPES, in_training
from .input_access import input_scaling
from .scaled_gather import gather
from .sizes import GATHER_BLOCK_FEATURES, GATHER_BLOCK_NUMBERS, GATHER_BLOCK_ROWS
from .strategy import ROUNDED_BLOCKS

restrict_dtypes(ROUNDED_BLOCKS, ROUNDED_DTYPES)
restrict_dtypes(in_training(ROUNDED_BLOCKS), ROUNDED_DTYPES)


@inlined
def _panels(scratch):
    """Return the part of a thread's scratch behind the block of X, a view, for packed panels."""
    return view(scratch, GATHER_BLOCK_NUMBERS, scratch.size - GATHER_BLOCK_NUMBERS)


def forward_rounded(kernel_ptrs, model, X, row_indices, group, outputs, Z, scratch):
    """Z[o, j] += Σₖ r(x[j, k]) r(W[o, k]) over all features k, for all units o and j < m.

    model: a Model; X: an Input; Z: a Matrix (n_out, m). group and outputs are unused: they hold all
    features and all units.
    """
    op, scaling = model.ops[1], input_scaling(model.ops[0], model.state)
    packed = _panels(scratch)
    for k in range(0, op.n_in, GATHER_BLOCK_FEATURES):
        w = min(GATHER_BLOCK_FEATURES, op.n_in - k)
        for j in range(0, row_indices.size, GATHER_BLOCK_ROWS):
            n = min(GATHER_BLOCK_ROWS, row_indices.size - j)
            gather(
                kernel_ptrs, X, view(row_indices, j, n), k, scaling, view_matrix(scratch, 0, n, w)
            )
            multiply_rounded(
                kernel_ptrs, op.n_out, n, w, Operand(model.theta, op.W + k, op.n_in, 1),
                Operand(scratch, 0, 1, w), Matrix(Z.data, Z.offset + j, Z.ld),
                Beta(BETA_ONE, model.theta, 0), Epilogue(EPILOGUE_NONE, 0, 1.0), packed,
            )  # fmt: skip


def backward_rounded(kernel_ptrs, model, X, row_indices, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ r(dZ[o, j]) r(x[j, k]) for all units o and this thread's features k.

    model: a Model; X: an Input; dZ, dW: Matrices (n_out, m) and (n_out, n_in). The threads of the
    Team `team` take blocks of GATHER_BLOCK_FEATURES features in turn.
    """
    op, scaling = model.ops[1], input_scaling(model.ops[0], model.state)
    packed, n_in = _panels(scratch), op.n_in
    n_blocks = (n_in + GATHER_BLOCK_FEATURES - 1) // GATHER_BLOCK_FEATURES
    for i in range(team.tid, n_blocks, team.n_threads):
        k = i * GATHER_BLOCK_FEATURES
        w = min(GATHER_BLOCK_FEATURES, n_in - k)
        for j in range(0, row_indices.size, GATHER_BLOCK_ROWS):
            n = min(GATHER_BLOCK_ROWS, row_indices.size - j)
            gather(
                kernel_ptrs, X, view(row_indices, j, n), k, scaling, view_matrix(scratch, 0, n, w)
            )
            multiply_rounded(
                kernel_ptrs, op.n_out, w, n, Operand(dZ.data, dZ.offset + j, dZ.ld, 1),
                Operand(scratch, 0, w, 1), Matrix(dW.data, dW.offset + k, dW.ld),
                Beta(BETA_ZERO if j == 0 else BETA_ONE, dW.data, 0),
                Epilogue(EPILOGUE_NONE, 0, 1.0), packed,
            )  # fmt: skip
