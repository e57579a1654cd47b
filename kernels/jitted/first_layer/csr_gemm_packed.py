"""CSR rows times packed weights: panel[k, q] = W[o + q, k] for feature k and a vector of units q.

One multiply-add multiplies a stored element of X by the weights of as many units as a vector has
lanes. With 2000 features and 100 units, packing and product take half the time of `csr_gemm.py`
without packing in float32, and three quarters in float64.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.pointers import fill_zero, view
from ..codegen.simd import (
    INT32,
    INT64,
    Vectors,
    element_pointer,
    emit_record,
    index,
    index_constant,
    void,
)
from ..compiler.definitions import in_training_each, indirect_each
from ..compiler.jit import inlined
from ..gemm.packing import lane_count, transpose
from ..records import Matrix
from .input_access import csr_row_bounds, each_csr_dtype
from .input_descriptor import CSR_DTYPE_CODE


def _emit_element(context, builder, v, X, i, dtype):
    """Emit (a vector with the i-th stored value of X in every lane, the int64 columns[i] · lanes).

    The second is the offset, in numbers, of this feature's weights in a panel (n_in, lanes). X: an
    Input of CSR rows as a record of LLVM values; i: an LLVM integer. dtype: Numba's type of the
    NumPy scalar type of X's values. v: the Vectors of the network's dtype, to which the value is
    converted.
    """
    kind = context.get_data_type(dtype.instance_type)
    values, columns = (
        builder.inttoptr(address, scalar.as_pointer())
        for address, scalar in ((X.address, kind), (X.column_stride, INT32))
    )
    x = builder.load(builder.gep(values, [i]))
    if kind != v.scalar:
        x = builder.fptrunc(x, v.scalar) if v.itemsize == 4 else builder.fpext(x, v.scalar)
    column = builder.zext(builder.load(builder.gep(columns, [i])), INT64)
    return v.splat(x), builder.mul(column, index_constant(v.lanes))


@intrinsic
def _add_products(typingctx, X, first, last, panel, p, Y, y, dtype):
    """Y[y + q] += Σᵢ values[i] panel[p + columns[i] · lanes + q] for each lane q, a unit.

    X: an Input of CSR rows with the vectors `values` and `columns`; dtype: NumPy scalar type of its
    values. i runs over the elements first … last − 1, at least one. panel, Y: flat vectors; packed
    weights (n_in, lanes) begin at panel[p], the sums (lanes,) at Y[y].
    """
    signature = void(X, index, index, panel, index, Y, index, dtype)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        source = element_pointer(context, builder, panel, args[3], args[4])
        out = element_pointer(context, builder, Y, args[5], args[6])
        i, (total,), end = v.loop(builder.sub(args[2], args[1]), 1, [v.load(out)])
        place, source_X = builder.add(args[1], i), emit_record(builder, X, args[0])
        x, column = _emit_element(context, builder, v, source_X, place, dtype)
        total = v.multiply_add(x, v.load(source, column), total)
        end([total])
        v.store(total, out)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _scatter(typingctx, X, first, last, D, d, panel, p, dtype):
    """panel[p + columns[i] · lanes + q] += values[i] D[d + q] for each i, and each lane q, a unit.

    X: an Input of CSR rows with the vectors `values` and `columns`; dtype: NumPy scalar type of its
    values. i runs over the elements first … last − 1, at least one. D, panel: flat vectors; dZ
    (lanes,) of one example begins at D[d], the packed gradient (n_in, lanes) at panel[p].
    """
    signature = void(X, index, index, D, index, panel, index, dtype)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, D.dtype)
        slope = v.load(element_pointer(context, builder, D, args[3], args[4]))
        out = element_pointer(context, builder, panel, args[5], args[6])
        i, _, end = v.loop(builder.sub(args[2], args[1]), 1, [])
        place, source_X = builder.add(args[1], i), emit_record(builder, X, args[0])
        x, column = _emit_element(context, builder, v, source_X, place, dtype)
        v.store(v.multiply_add(x, slope, v.load(out, column)), out, column)
        end([])
        return context.get_dummy_value()

    return signature, codegen


def _forward_kernel(dtype):
    """Return the kernel of Z += W X[rows]ᵀ for CSR rows with values of NumPy scalar type dtype."""

    def forward(table, n_out, X, rows, W, Z, scratch):
        """Z[o, j] += Σₖ X[rows[j], k] W[o, k] for o < n_out and j < m.

        X: an Input of CSR rows; rows (m,): indices of examples. W: a Matrix (n_out, n_in),
        contiguous; Z: a Matrix (n_out, m) in which Z[o, j] = Z[o, 0], the bias of unit o, before
        the call. table: the kernel pointers. scratch receives the biases (lanes,) of a vector of
        units, then sums (lanes, lanes) of examples by units, then packed weights (n_in, lanes).
        """
        weights, w, n_in = W
        out, z, ld = Z
        lanes = lane_count(out)
        square, panel = lanes, lanes + lanes * lanes
        for o in range(0, n_out, lanes):
            wide = min(lanes, n_out - o)
            for q in range(wide):
                scratch[q] = out[z + (o + q) * ld]
            transpose(table, wide, n_in, weights, w + o * n_in, n_in, scratch, panel, lanes, 1)
            for j in range(0, rows.size, lanes):
                n = min(lanes, rows.size - j)
                for e in range(n):
                    at = square + e * lanes
                    for q in range(lanes):
                        scratch[at + q] = scratch[q]
                    first, last = csr_row_bounds(X, rows[j + e])
                    if first < last:
                        _add_products(X, first, last, scratch, panel, scratch, at, dtype)
                transpose(table, n, wide, scratch, square, lanes, out, z + o * ld + j, ld, 0)

    return forward


def _backward_kernel(dtype):
    """Return the kernel of dW = dZ X[rows] for CSR rows with values of NumPy scalar type dtype."""

    def backward(table, n_out, X, rows, dZ, dW, scratch):
        """dW[o, k] = Σⱼ dZ[o, j] X[rows[j], k] for o < n_out and all features k.

        n_out: at most the lanes of a vector. X: an Input of CSR rows; rows (m,): indices of
        examples. dZ: a Matrix (n_out, m); dW: a Matrix (n_out, n_in), contiguous, overwritten.
        table: the kernel pointers. scratch receives dZ of some examples as (lanes, lanes), examples
        by units, then the packed gradient (n_in, lanes).
        """
        slopes, d, ld = dZ
        grad, c, n_in = dW
        lanes = lane_count(slopes)
        panel = lanes * lanes
        fill_zero(view(scratch, panel, n_in * lanes))
        for j in range(0, rows.size, lanes):
            some = min(lanes, rows.size - j)
            transpose(table, n_out, some, slopes, d + j, ld, scratch, 0, lanes, 1)
            for e in range(some):
                first, last = csr_row_bounds(X, rows[j + e])
                if first < last:
                    _scatter(X, first, last, scratch, e * lanes, scratch, panel, dtype)
        transpose(table, n_in, n_out, scratch, panel, lanes, grad, c, n_in, 0)

    return backward


_forward = indirect_each("T i X I1 Matrix Matrix F1", each_csr_dtype(_forward_kernel))
_backward = indirect_each(
    "T i X I1 Matrix Matrix F1", in_training_each(each_csr_dtype(_backward_kernel))
)


@inlined
def fits(scratch, n_out, n_in):
    """Return a bool: whether the weights (n_out, n_in) of CSR products are packed.

    They are if n_out fills at least half a vector, and if the vector `scratch` has the (n_in +
    lanes + 1) · lanes numbers that the kernels of this module need; lanes: numbers in a vector.
    """
    lanes = lane_count(scratch)
    return 2 * n_out >= lanes and (n_in + lanes + 1) * lanes <= scratch.size


@inlined
def csr_packed_forward(table, n_out, X, rows, W, Z, scratch):
    """Z[o, j] += Σₖ X[rows[j], k] W[o, k] for o < n_out and j < m.

    X: an Input of CSR rows; rows (m,): indices of examples. W: a Matrix (n_out, n_in), contiguous;
    Z: a Matrix (n_out, m). Before the call every Z[o, j] of a unit o is one number, its bias.
    table: the kernel pointers. scratch: memory for packed weights, a vector for which `fits`
    returns True.
    """
    _forward(table, X.dtype_code - CSR_DTYPE_CODE, n_out, X, rows, W, Z, scratch)


@inlined
def csr_packed_backward(table, n_out, X, rows, dZ, dW, scratch, team):
    """dW[o, k] = Σⱼ dZ[o, j] X[rows[j], k] for this thread's share of the units o < n_out, all k.

    X: an Input of CSR rows; rows (m,): indices of examples. dZ: a Matrix (n_out, m); dW: a Matrix
    (n_out, n_in), contiguous, overwritten. table: the kernel pointers. scratch: this thread's
    memory, a vector for which `fits` returns True. Tiles of units, one unit a lane of a vector, are
    dealt out to the threads of the Team `team` in turn.
    """
    slopes, d, ld = dZ
    grad, c, n_in = dW
    lanes = lane_count(scratch)
    for tile in range(team.tid, (n_out + lanes - 1) // lanes, team.n_threads):
        o = tile * lanes
        dZ_o, dW_o = Matrix(slopes, d + o * ld, ld), Matrix(grad, c + o * n_in, n_in)
        kernel, n = X.dtype_code - CSR_DTYPE_CODE, min(lanes, n_out - o)
        _backward(table, kernel, n, X, rows, dZ_o, dW_o, scratch)
