"""The products of DENSE op rows whose operands are rounded to bfloat16 (`Precision.MIXED`).

Z = r(W) r(X) + b, dW = r(dZ) r(X)ᵀ and dX = r(W)ᵀ r(dZ): r rounds to the nearest bfloat16, sums and
results are float32. All threads of a team call a function at once; each computes a part of the
rows or of the columns, whichever are more, for the other side is packed by every thread. Matrices
are (n, ld), as in `forward.py` and `backward.py`.
"""

from __future__ import annotations

from ...opcodes import Activation
from ..codegen.cpu import block_sizes
from ..codegen.partition import partition_cache_lines
from ..codegen.pointers import view, view_matrix
from ..compiler.definitions import indirect, restrict_dtypes
from ..compiler.jit import inlined
from ..gemm.bfloat16 import multiply_rounded
from ..gemm.bfloat16_inner import multiply_inner_rounded
from ..gemm.epilogue import EPILOGUE_NONE, EPILOGUE_RELU
from ..ops.activations import activate
from ..records import BETA_BIAS, BETA_ZERO, Beta, Epilogue, Matrix, Operand
from ..requirements import ROUNDED, ROUNDED_DTYPES, ROUNDED_ROW, in_training

SOFTMAX, RELU = int(Activation.SOFTMAX), int(Activation.RELU)
IDENTITY = int(Activation.IDENTITY)
#: dW of up to this number of units is computed by dot products: packing would not repay.
PAIR_MAX_M_DOT = block_sizes().PAIR_MAX_M_DOT

for _name in (ROUNDED, ROUNDED_ROW, in_training(ROUNDED)):
    restrict_dtypes(_name, ROUNDED_DTYPES)


@inlined
def _part(n_rows, n_columns, itemsize, team):
    """Return a thread's part of a matrix: (first row, last + 1, first column, last + 1).

    The longer side is cut, in whole cache lines of numbers of `itemsize` bytes.
    """
    if n_rows >= n_columns:
        first, last = partition_cache_lines(n_rows, itemsize, team.tid, team.n_threads)
        return first, last, 0, n_columns
    first, last = partition_cache_lines(n_columns, itemsize, team.tid, team.n_threads)
    return 0, n_rows, first, last


@inlined
def _panels(workspace, team):
    """Return this thread's scratch, a view (thread_size,) of the workspace, for packed panels."""
    buffer, _, offsets = workspace
    return view(buffer, offsets.thread_base + team.tid * offsets.thread_size, offsets.thread_size)


@indirect("T Model i Workspace i Team", requires=ROUNDED)
def mixed_outputs(kernel_ptrs, model, row, workspace, m_padded, team):
    """Z[o, j] ← b[o] + Σᵢ r(W[o, i]) r(X[i, j]), A ← g(Z), for all units o and j < m_padded.

    row: index of a DENSE op row; X (n_in, ld): A of op row row − 1; Z, A (n_out, ld) out, in the
    workspace. If g is softmax, only Z is written.
    """
    ops, theta, (buffer, ld, offsets) = model.ops, model.theta, workspace
    op = ops[row]
    o0, o1, j, end = _part(op.n_out, m_padded, buffer.itemsize, team)
    if o0 == o1 or j == end:
        return
    multiply_rounded(
        kernel_ptrs, o1 - o0, end - j, op.n_in,
        Operand(theta, op.W + o0 * op.n_in, op.n_in, 1),
        Operand(buffer, ops[row - 1].A * ld + j, ld, 1),
        Matrix(buffer, (op.Z + o0) * ld + j, ld),
        Beta(BETA_BIAS if op.b >= 0 else BETA_ZERO, theta, op.b + o0),
        Epilogue(EPILOGUE_RELU if op.code == RELU else EPILOGUE_NONE, 0, 1.0),
        _panels(workspace, team),
    )  # fmt: skip
    if op.code != SOFTMAX and op.code != RELU and op.code != IDENTITY:
        Z = view_matrix(buffer, op.Z * ld, op.n_out, ld)
        A = view_matrix(buffer, op.A * ld, op.n_out, ld)
        scratch = view_matrix(buffer, offsets.scratch, 3, ld)
        activate(kernel_ptrs, op.code, Z, A, j, end - j, o0, o1, scratch)


@indirect("T O i F1 Workspace i i Team", requires=in_training(ROUNDED))
def mixed_weight_gradient(kernel_ptrs, ops, row, grad, workspace, dZ_offset, m, team):
    """dW[o, k] ← Σⱼ r(dZ[o, j]) r(A[k, j]) over examples j < m, of DENSE op row `row`.

    ops (rows,): the op table. dW (n_out, n_in) out, in grad (p,) from element op.W on. dZ
    (n_out, ld) lies in the workspace from element dZ_offset on; A (n_in, ld): that of op row
    row − 1.
    """
    op, (buffer, ld, _) = ops[row], workspace
    o, o1, k, k1 = _part(op.n_out, op.n_in, buffer.itemsize, team)
    if o == o1 or k == k1:
        return
    dZ, A, W = dZ_offset + o * ld, (ops[row - 1].A + k) * ld, op.W + o * op.n_in + k
    if op.n_out <= PAIR_MAX_M_DOT:
        multiply_inner_rounded(
            kernel_ptrs, k1 - k, o1 - o, m, Matrix(buffer, A, ld), Matrix(buffer, dZ, ld),
            Operand(grad, W, 1, op.n_in), 0,
        )  # fmt: skip
    else:
        multiply_rounded(
            kernel_ptrs, o1 - o, k1 - k, m, Operand(buffer, dZ, ld, 1), Operand(buffer, A, 1, ld),
            Matrix(grad, W, op.n_in), Beta(BETA_ZERO, grad, 0), Epilogue(EPILOGUE_NONE, 0, 1.0),
            _panels(workspace, team),
        )  # fmt: skip


@indirect("T Model i Workspace i Matrix Epilogue i Team", requires=in_training(ROUNDED))
def mixed_input_gradient(
    kernel_ptrs, model, row, workspace, dZ_offset, dA, epilogue, m_padded, team
):
    """dA[k, j] ← epilogue(Σᵢ r(W[i, k]) r(dZ[i, j])) for j < m_padded, of DENSE op row `row`.

    dA: a Matrix (n_in, ld) of the workspace, written; dZ (n_out, ld) lies there from element
    dZ_offset on; epilogue: an Epilogue, whose mask begins where mask_offset says.
    """
    op, (buffer, ld, _) = model.ops[row], workspace
    k, k1, j, end = _part(op.n_in, m_padded, buffer.itemsize, team)
    if k == k1 or j == end:
        return
    start = k * ld + j
    multiply_rounded(
        kernel_ptrs, k1 - k, end - j, op.n_out,
        Operand(model.theta, op.W + k, 1, op.n_in), Operand(buffer, dZ_offset + j, ld, 1),
        Matrix(buffer, dA.offset + start, ld), Beta(BETA_ZERO, model.theta, 0),
        Epilogue(epilogue.kind, epilogue.mask_offset + start, epilogue.mask_scale),
        _panels(workspace, team),
    )  # fmt: skip
