"""Sparse rows times turned weights: those of one feature to a vector of outputs lie side by side.

A number of X is then multiplied by a whole vector. Over 2000 features and 100 outputs that takes
half the time of one output after the other in float32, three quarters in float64, turning included.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.pointers import CSR_CODE, csr_row_bounds, each_csr_dtype
from ..codegen.simd import INT32, INT64, Vectors, element_pointer, index, index_constant, void
from ..compiler.dispatch_table import in_training_each, indirect_each
from ..compiler.jit import inlined
from ..gemm.packing import lane_count, transpose


def _read(context, builder, v, X, i, dtype):
    """Emit the i-th number of sparse X, in every lane, and the place of its column's vector."""
    kind = context.get_data_type(dtype.instance_type)
    numbers, columns = (
        builder.inttoptr(builder.extract_value(X, place), scalar.as_pointer())
        for place, scalar in ((0, kind), (2, INT32))
    )
    x = builder.load(builder.gep(numbers, [i]))
    if kind != v.scalar:
        x = builder.fptrunc(x, v.scalar) if v.itemsize == 4 else builder.fpext(x, v.scalar)
    column = builder.zext(builder.load(builder.gep(columns, [i])), INT64)
    return v.splat(x), builder.mul(column, index_constant(v.lanes))


@intrinsic
def _sum(typingctx, X, first, last, panel, p, Y, y, dtype):
    """Y[y] += Σ xᵢ panel[p + column of i], vectors all, over the numbers first … last−1 of X."""
    signature = void(X, index, index, panel, index, Y, index, dtype)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, Y.dtype)
        source = element_pointer(context, builder, panel, args[3], args[4])
        out = element_pointer(context, builder, Y, args[5], args[6])
        i, (total,), end = v.loop(builder.sub(args[2], args[1]), 1, [v.load(out)])
        x, column = _read(context, builder, v, args[0], builder.add(args[1], i), dtype)
        total = v.multiply_add(x, v.load(source, column), total)
        end([total])
        v.store(total, out)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _spread(typingctx, X, first, last, D, d, panel, p, dtype):
    """panel[p + column of i] += xᵢ D[d], vectors all, for the numbers first … last−1 of X."""
    signature = void(X, index, index, D, index, panel, index, dtype)

    def codegen(context, builder, sig, args):
        v = Vectors(context, builder, D.dtype)
        slope = v.load(element_pointer(context, builder, D, args[3], args[4]))
        out = element_pointer(context, builder, panel, args[5], args[6])
        i, _, end = v.loop(builder.sub(args[2], args[1]), 1, [])
        x, column = _read(context, builder, v, args[0], builder.add(args[1], i), dtype)
        v.store(v.multiply_add(x, slope, v.load(out, column)), out, column)
        end([])
        return context.get_dummy_value()

    return signature, codegen


def _forward_of(kind):
    """Return the kernel for sparse X of a dtype."""

    def forward(table, X, rows, n_out, n_in, theta, W, Z, z, ld, s):
        """Z[z + o ld + j] += Σ X[rows[j], k] W[o, k], Z the same for all j; scratch at Z[s]."""
        lanes = lane_count(Z)
        square, panel = s + lanes, s + lanes + lanes * lanes
        for o in range(0, n_out, lanes):
            wide = min(lanes, n_out - o)
            for q in range(wide):
                Z[s + q] = Z[z + (o + q) * ld]
            transpose(table, wide, n_in, theta, W + o * n_in, n_in, Z, panel, lanes, 1)
            for j in range(0, rows.size, lanes):
                n = min(lanes, rows.size - j)
                for e in range(n):
                    at = square + e * lanes
                    for q in range(lanes):
                        Z[at + q] = Z[s + q]
                    first, last = csr_row_bounds(X, rows[j + e])
                    if first < last:
                        _sum(X, first, last, Z, panel, Z, at, kind)
                transpose(table, n, wide, Z, square, lanes, Z, z + o * ld + j, ld, 0)

    return forward


def _backward_of(kind):
    """Return the kernel for sparse X of a dtype."""

    def backward(table, X, rows, n, n_in, D, d, ld, grad, W, s):
        """dW[o, k] = Σⱼ D[d + o ld + j] X[rows[j], k], o < n up to the lanes; scratch at D[s]."""
        lanes = lane_count(D)
        panel = s + lanes * lanes
        for k in range(n_in * lanes):
            D[panel + k] = 0
        for j in range(0, rows.size, lanes):
            some = min(lanes, rows.size - j)
            transpose(table, n, some, D, d + j, ld, D, s, lanes, 1)
            for e in range(some):
                first, last = csr_row_bounds(X, rows[j + e])
                if first < last:
                    _spread(X, first, last, D, s + e * lanes, D, panel, kind)
        transpose(table, n_in, n, D, panel, lanes, grad, W, n_in, 0)

    return backward


_forward = indirect_each("T X I1 i i F1 i F1 i i i", each_csr_dtype(_forward_of))
_backward = indirect_each(
    "T X I1 i i F1 i i F1 i i", in_training_each(each_csr_dtype(_backward_of))
)


@inlined
def fit(work, n_out, n_in, room):
    """Tell whether weights are turned: vectors would be half full, and `room` numbers hold all."""
    lanes = lane_count(work)
    return 2 * n_out >= lanes and (n_in + lanes + 1) * lanes <= room


@inlined
def forward(table, X, rows, n_out, n_in, theta, W, Z, z, ld, s):
    """Z[z + o ld + j] += Σ X[rows[j], k] W[o, k], Z the same for all j; scratch at Z[s]."""
    _forward(table, X[3] - CSR_CODE, X, rows, n_out, n_in, theta, W, Z, z, ld, s)


@inlined
def backward(table, X, rows, n_out, n_in, D, d, ld, grad, W, s, team):
    """dW (n_out, n_in) at grad[W], shared out: dW[o, k] = Σⱼ D[d + o ld + j] X[rows[j], k]."""
    lanes = lane_count(D)
    for tile in range(team.tid, (n_out + lanes - 1) // lanes, team.n_threads):
        o = tile * lanes
        n = min(lanes, n_out - o)
        at, w = d + o * ld, W + o * n_in
        _backward(table, X[3] - CSR_CODE, X, rows, n, n_in, D, at, ld, grad, w, s)
