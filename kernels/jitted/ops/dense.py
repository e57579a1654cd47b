"""The products of a dense layer: Z = W A + b, dA = Wᵀ dZ, dW = dZ Aᵀ, db = Σ dZ.

W is (n_out, n_in); A, dA (n_in, ld) and Z, dZ (n_out, ld) are feature-major. Examples are on the
vector lanes for Z and dA. dW is computed by dot products along the examples or by a product with
packed A, whichever takes less time.
"""

from __future__ import annotations

from ..codegen.cpu import block_sizes
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined
from ..gemm.blocked import KC, multiply_blocked
from ..gemm.epilogue import EPILOGUE_NONE, EPILOGUE_RELU
from ..gemm.inner_product import multiply_inner
from ..gemm.microkernel import multiply_tiles
from ..gemm.packing import lane_count, transpose
from ..records import BETA_BIAS, BETA_ONE, BETA_ZERO, Beta, Epilogue, Matrix, Operand
from ..requirements import MIN_PACKED_ENTRIES

#: `input_gradient` transposes W, KC rows at a time, if a row of W has at least this many bytes: a
#: column of W then falls into too few sets of the first-level cache and too many pages.
#: `codegen/cpu.py` holds the measurement.
MIN_STRIDE_PACK_W = block_sizes().MIN_STRIDE_PACK_W


@indirect("T F1 DenseLayer Slice Matrix Matrix i i", requires="batch")
def layer_outputs(kernel_ptrs, theta, layer, units, A, Z, n, relu):
    """Z[o, j] = b[o] + Σₖ W[o, k] A[k, j] for units.begin ≤ o < units.end, j < n.

    relu: 1 to store max(0, Z[o, j]) instead, 0 if not. theta (p,) holds W (n_out, n_in) at layer.W
    and b (n_out,) at layer.b. layer: a DenseLayer; if layer.b is negative, b counts as 0. units: a
    Slice of the layer's units. A (n_in, ld), Z (n_out, ld): each a Matrix, Z written.
    """
    row = units.begin
    multiply_tiles(
        kernel_ptrs, units.end - row, n, layer.n_in,
        Operand(theta, layer.W + row * layer.n_in, layer.n_in, 1),
        A,
        Matrix(Z.data, Z.offset + row * Z.ld, Z.ld),
        Beta(BETA_BIAS if layer.b >= 0 else BETA_ZERO, theta, layer.b + row),
        Epilogue(EPILOGUE_RELU if relu != 0 else EPILOGUE_NONE, 0, 1.0),
    )  # fmt: skip


@indirect("T F1 DenseLayer Slice Matrix Matrix i Epilogue F1 i", requires="training")
def input_gradient(kernel_ptrs, theta, layer, units, dZ, dA, n, epilogue, packed, p):
    """dA[k, j] = epilogue(Σₒ W[o, k] dZ[o, j]) for inputs units.begin ≤ k < units.end, j < n.

    units: a Slice of the layer's inputs. dZ (n_out, ld), dA (n_in, ld): each a Matrix, dA written.
    theta (p,) holds W (n_out, n_in) at layer.W; layer: a DenseLayer. epilogue: an Epilogue, whose
    mask (n_in, ld) begins at its mask_offset. packed[p:]: scratch of KC elements for each of the
    inputs, in a flat vector; used if a row of W has MIN_STRIDE_PACK_W bytes or more.
    """
    height, n_in = units.end - units.begin, layer.n_in
    packs = n_in * theta.itemsize >= MIN_STRIDE_PACK_W
    kc = KC if packs else layer.n_out
    k = 0
    while k < layer.n_out:  # a range would divide by kc
        depth, w_offset = min(kc, layer.n_out - k), layer.W + k * n_in + units.begin
        w, offset, row_stride, column_stride = theta, w_offset, 1, n_in
        if packs:
            transpose(kernel_ptrs, depth, height, theta, w_offset, n_in, packed, p, KC, 1)
            w, offset, row_stride, column_stride = packed, p, KC, 1
        row_offset = units.begin * dA.ld
        multiply_tiles(
            kernel_ptrs, height, n, depth,
            Operand(w, offset, row_stride, column_stride),
            Matrix(dZ.data, dZ.offset + k * dZ.ld, dZ.ld),
            Matrix(dA.data, dA.offset + row_offset, dA.ld),
            Beta(BETA_ZERO if k == 0 else BETA_ONE, theta, 0),
            Epilogue(
                epilogue.kind if k + depth == layer.n_out else EPILOGUE_NONE,
                epilogue.mask_offset + row_offset, epilogue.mask_scale,
            ),
        )  # fmt: skip
        k += depth


@inlined
def _packs(n_in, n_out, m, lanes):
    """Return whether dW (n_out, n_in) takes less time with packed A than by dot products: a bool.

    It is False if dW has fewer than MIN_PACKED_ENTRIES entries. A is (n_in, m), m examples; lanes:
    elements of a vector register. Costs are sixths of a nanosecond, fitted to layers of 2 to 1000
    units on 1 to 1000 examples. A dot product costs 1 for each vector of examples and 4 for the sum
    of its lanes. The product costs 450 and, for each example, 7/8 for each vector of dW, 10 for
    each vector of A that is packed, and 10 more if the features do not fill the last vector.
    """
    if n_in * n_out < MIN_PACKED_ENTRIES:
        return False
    across, along = (n_in + lanes - 1) // lanes, (m + lanes - 1) // lanes
    packing = n_in * 10 // lanes + (10 if n_in % lanes > 0 else 0)
    return n_in * n_out * (4 + along) > m * (n_out * across * 7 // 8 + packing) + 450


@indirect("T F1 DenseLayer Slice Slice Matrix Matrix i F1 i", requires="training")
def weight_gradient(kernel_ptrs, grad, layer, units, inputs, dZ, A, m, packed, p):
    """dW[o, k] = Σⱼ dZ[o, j] A[k, j] over examples j < m, for o in `units` and k in `inputs`.

    units, inputs: each a Slice, of at most NR_MAX inputs. dZ (n_out, ld), A (n_in, ld): each a
    Matrix; columns of dZ must be 0 from m up to a whole vector. grad (p,) receives dW (n_out, n_in)
    at layer.W; layer: a DenseLayer. packed[p:]: scratch of NR_MAX · KC_LARGE elements in a flat
    vector, unused where dot products are faster.
    """
    lanes, n_in = lane_count(grad), layer.n_in
    m_padded = (m + lanes - 1) // lanes * lanes
    n_rows, n_columns = units.end - units.begin, inputs.end - inputs.begin
    W = layer.W + units.begin * n_in + inputs.begin
    dZ_rows = Matrix(dZ.data, dZ.offset + units.begin * dZ.ld, dZ.ld)
    A_rows = Matrix(A.data, A.offset + inputs.begin * A.ld, A.ld)
    if _packs(n_in, layer.n_out, m, lanes):
        multiply_blocked(
            kernel_ptrs, n_rows, n_columns, m,
            Operand(dZ_rows.data, dZ_rows.offset, dZ.ld, 1),
            Operand(A_rows.data, A_rows.offset, 1, A.ld),
            Matrix(grad, W, n_in), BETA_ZERO, packed, p,
        )  # fmt: skip
    elif layer.n_out == 1:  # dZ is the second factor: tiles with one row of it hold many of A.
        multiply_inner(
            kernel_ptrs, n_columns, 1, m_padded, A_rows, dZ_rows, Operand(grad, W, 1, n_in), 0
        )
    else:
        multiply_inner(
            kernel_ptrs, n_rows, n_columns, m_padded, dZ_rows, A_rows,
            Operand(grad, W, n_in, 1), 0,
        )  # fmt: skip


@indirect("F2 i F1 i i", requires="training", entrance=True)
def bias_gradient(dZ, m, db, o0, o1):
    """db[o] = Σⱼ dZ[o, j], j < m, for units o0 ≤ o < o1.   dZ (n_out, ld); db (n_out,) out."""
    for o in range(o0, o1):
        s = db.dtype.type(0)
        for j in range(m):
            s += dZ[o, j]
        db[o] = s


@entry("F1 F1", requires="dot", returns="f")
def dot(x, y):
    """Return Σᵢ x[i] y[i], in the dtype of x.   x, y (n,).

    Each turn of the loop takes a product from each quarter of the vectors and adds it to the sum of
    this quarter, which is 10 to 20 % faster than one sum from front to end.
    """
    zero, n = x.dtype.type(0), x.size // 4
    a = b = c = d = zero
    for i in range(n):
        a += x[i] * y[i]
        b += x[n + i] * y[n + i]
        c += x[2 * n + i] * y[2 * n + i]
        d += x[3 * n + i] * y[3 * n + i]
    for i in range(4 * n, x.size):
        a += x[i] * y[i]
    return (a + b) + (c + d)
