"""The products of a dense layer over activations that lie feature by feature, A (n, ld).

W lies as (n_out, n_in). Examples are on the vector lanes in both directions; dW is dot products
along the examples, or a product with A turned in panels: whichever takes less time.
"""

from __future__ import annotations

from ..codegen.cpu import block_sizes
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined, kernel
from ..gemm.blocked import product
from ..gemm.inner_product import multiply_inner
from ..gemm.microkernel import KC, multiply
from ..gemm.packing import lane_count, transpose
from ..gemm.small_k import BETA_BIAS, BETA_ONE, BETA_ZERO, EPILOGUE_RELU, EPILOGUE_RELU_GRAD
from ..requirements import MIN_PACKED_ENTRIES

#: Bytes of a row of W from which on a column of it meets too few sets of the first-level cache and
#: too many pages: W is turned, DEPTH rows at a time. A gradient of 3000 → 3000 takes 10 to 21 %
#: less time so, of 2000 → 2000 5 to 10 %; of 1024 → 1024 up to 3 % more (Xeon, batches of 64, 128).
MIN_STRIDE_PACK_W = block_sizes().MIN_STRIDE_PACK_W


@indirect("T F1 i i i i F1 i F1 i i i i i", requires="batch")
def forward(table, theta, W, b, n_in, o0, A, a, Z, z, ld, n, o1, relu):
    """Z[o0:o1, :n] = b + W[o0:o1] A[:, :n], floored at 0 for relu; b < 0: no bias.

    theta holds W (n_out, n_in) and b; A (n_in, ld) begins at a, Z (n_out, ld) at z.
    """
    begin = BETA_BIAS if b >= 0 else BETA_ZERO
    multiply(
        table, o1 - o0, n, n_in, theta, W + o0 * n_in, n_in, 1, A, a, ld, Z, z + o0 * ld, ld,
        theta, b + o0, begin, EPILOGUE_RELU if relu != 0 else 0, 0, 1.0,
    )  # fmt: skip


@indirect("T F1 i i i F1 i F1 i i i i i i f F1 i", requires="training")
def backward_input(
    table, theta, W, n_in, n_out, D, d, dA, da, ld, n, i0, i1, gate, factor, panel, p
):
    """dA[i0:i1, :n] = W[:, i0:i1]ᵀ dZ[:, :n].   dZ (n_out, ld) at d; dA (n_in, ld) at da.

    gate: where A (n_in, ld) begins in dA's array: what comes is dA factor where A > 0, else 0; or
    negative. panel[p:] holds (i1 − i0) × DEPTH numbers.
    """
    turned = n_in * theta.itemsize >= MIN_STRIDE_PACK_W
    most = KC if turned else n_out
    for k in range(0, n_out, most):
        deep, F, f, fi, fk = min(most, n_out - k), theta, W + k * n_in + i0, 1, n_in
        if turned:
            F, f, fi, fk = panel, p, KC, 1
            transpose(table, deep, i1 - i0, theta, W + k * n_in + i0, n_in, F, f, fi, 1)
        multiply(
            table, i1 - i0, n, deep, F, f, fi, fk, D, d + k * ld, ld, dA, da + i0 * ld, ld,
            theta, 0, BETA_ZERO if k == 0 else BETA_ONE,
            EPILOGUE_RELU_GRAD if gate >= 0 and k + deep == n_out else 0,
            max(gate, 0) + i0 * ld, factor,
        )  # fmt: skip


@inlined
def _turns(n_in, n_out, m, lanes):
    """Tell whether dW of m examples takes less time as a product than as dot products.

    Both sides count sixths of a nanosecond, fitted to layers of 2 to 1000 units on 1 to 1000
    examples. A dot product is its vectors and a sum of lanes; a product is its vectors, and turning
    A, where features that do not fill a vector cost as much again.
    """
    if n_in * n_out < MIN_PACKED_ENTRIES:
        return False
    across, along = (n_in + lanes - 1) // lanes, (m + lanes - 1) // lanes
    turning = n_in * 10 // lanes + (10 if n_in % lanes > 0 else 0)
    return n_in * n_out * (4 + along) > m * (n_out * across * 7 // 8 + turning) + 450


@indirect("T F1 i i i F1 i F1 i i i i i i i F1 i", requires="training")
def backward_weights(table, grad, W, n_in, n_out, D, d, A, a, ld, m, o0, o1, k0, k1, panel, p):
    """dW[o0:o1, k0:k1] = dZ[o0:o1, :m] A[k0:k1, :m]ᵀ.   dZ (n_out, ld) at d; A (n_in, ld) at a.

    Columns of dZ are zero from m up to whole vectors. panel[p:] has room for products of PANEL
    columns, and there are no more in [k0, k1).
    """
    lanes = lane_count(grad)
    n, W, d = (m + lanes - 1) // lanes * lanes, W + o0 * n_in, d + o0 * ld
    if not _turns(n_in, n_out, m, lanes):
        if n_out == 1:  # tiles hold few rows of the first factor, or many for one of the second
            multiply_inner(
                table, k1 - k0, 1, n, A, a + k0 * ld, ld, D, d, ld, grad, W + k0, 1, n_in, 0
            )
        else:
            multiply_inner(
                table, o1 - o0, k1 - k0, n, D, d, ld, A, a + k0 * ld, ld, grad, W + k0, n_in, 1, 0
            )
    else:
        product(
            table, o1 - o0, k1 - k0, m, D, d, ld, 1, A, a + k0 * ld, 1, ld, grad, W + k0, n_in,
            BETA_ZERO, panel, p,
        )  # fmt: skip


@indirect("F2 i F1 i i", requires="training")
def backward_biases(dZ, m, db, o0, o1):
    """db[o0:o1] = Σ dZ[o0:o1, :m] over the examples.   dZ (n_out, ·); db (n_out,)."""
    for o in range(o0, o1):
        s = db.dtype.type(0)
        for j in range(m):
            s += dZ[o, j]
        db[o] = s


@kernel
def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,).

    Both are read at four places at once: 10 to 20 % faster than one stream of each.
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
