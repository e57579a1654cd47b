"""Products with rows of X where they lie in memory, picked by index, for narrow first layers.

Numbers are converted in registers, again for each tile of up to 10 outputs (6 with 16 registers);
every number of outputs has tiles of its own, of which a network compiles one or two. A factor that
scales all features alike is applied to the sums. Converting images block by block takes longer up
to 24 outputs at least, and 2.5 times as long for one.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..codegen.cpu import CACHE_LINE, block_sizes
from ..codegen.pointers import emit_prefetch, view
from ..codegen.simd import (
    Vectors,
    clamp_index,
    element_pointer,
    emit_matrix,
    emit_record,
    index,
    index_constant,
    void,
)
from ..compiler.dispatch_table import in_training_each, indirect_each
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from ..gemm.inner_product import accumulate_dots, store_totals
from ..gemm.packing import lane_count
from ..records import Matrix
from .sizes import FEATURE_GROUPS, STRIDED_KC
from .strategy import STRIDED_DTYPES, strided_requirement

#: Weights of a tile's outputs that still stay in the first-level cache, as numbers of float32.
L1_WEIGHTS = 12_000
#: Vectors of features that STRIDED_MIN_FEATURES fill on any CPU, for the ends of rows.
NARROW_VECTORS = 4

#: For 1, 2 … outputs: rows of X of a tile forward, and its vectors of features in the gradient.
STRIDED_MR, STRIDED_NR_VECTORS = block_sizes().STRIDED_MR, block_sizes().STRIDED_NR_VECTORS
STRIDED_MAX_OUTPUTS = len(STRIDED_MR)  # of a tile


class _StridedRows:
    """Emits loads of vectors of X[rows[j], k] from a feature on, as the network's numbers.

    v: the Vectors of the network's dtype; args: the Input as a record of LLVM values, the address
    of the row indices, the first feature; kind: Numba's type of an element of X.
    """

    def __init__(self, context, builder, v, args, kind):
        X, self.rows, self.first = args
        self.builder, self.v, self.kind = builder, v, kind
        self.address, self.stride = X.address, X.row_stride
        self.pointers = context.get_data_type(kind).as_pointer()

    def pointer(self, j):
        """Address of the first number of the j-th row."""
        builder = self.builder
        row = builder.load(builder.gep(self.rows, [j]))
        place = builder.add(builder.mul(row, self.stride), self.first)
        place = builder.mul(place, index_constant(self.kind.bitwidth // 8))
        return builder.inttoptr(builder.add(self.address, place), self.pointers)

    def read(self, pointer, offset, mask=None):
        """The vector at an offset from a pointer, converted."""
        return self.v.load_converted(self.kind, self.builder.gep(pointer, [offset]), mask)

    def prefetch(self, pointer, count):
        """Prefetch the cache lines of so many numbers."""
        for place in range(0, count, CACHE_LINE // (self.kind.bitwidth // 8)):
            emit_prefetch(self.builder, self.builder.gep(pointer, [index_constant(place)]))


def _emit_operands(context, builder, kinds, args):
    """(Vectors, _StridedRows, factor as a scalar) of a tile's arguments X, rows, first, factor."""
    X, rows, C, dtype = kinds
    v = Vectors(context, builder, C.types[0].dtype)
    order = element_pointer(context, builder, rows, args[1], index_constant(0))
    source = emit_record(builder, X, args[0]), order, args[2]
    lines = _StridedRows(context, builder, v, source, dtype.instance_type)
    return v, lines, v.from_float64(args[3])


@intrinsic(prefer_literal=True)
def _forward_tile(typingctx, X, rows, features, factor, W, Z, used, n_out, dtype):
    """Z[o, e] += factor Σₖ X[rows[e], k] W[o, k] over the features, for e < used, o < n_out."""
    tall, wide = STRIDED_MR[n_out.literal_value - 1], n_out.literal_value
    signature = void(X, rows, features, types.float64, W, Z, index, n_out, dtype)

    def codegen(context, builder, sig, args):
        first, count = cgutils.unpack_tuple(builder, args[2])
        given = (*args[:2], first, args[3])
        v, lines, factor = _emit_operands(context, builder, (X, rows, Z, dtype), given)
        (_, _, ldw), w = emit_matrix(context, builder, W, args[4])
        (_, _, ldz), z = emit_matrix(context, builder, Z, args[5])
        tops = [clamp_index(builder, e, args[6]) for e in range(tall)]
        xs = [lines.pointer(e) for e in tops]
        ws = [builder.gep(w, [builder.mul(index_constant(o), ldw)]) for o in range(wide)]
        sums = accumulate_dots(builder, v, xs, ws, count, lines.read)
        columns = [builder.mul(index_constant(o), ldz) for o in range(wide)]
        cells = [builder.gep(z, [builder.add(e, column)]) for e in tops for column in columns]
        starts = [builder.load(cell) for cell in cells]
        scaled = [builder.fmul(x, v.splat(factor)) for x in sums]
        store_totals(builder, v, scaled, starts, cells)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _backward_tile(typingctx, X, rows, places, factor, dZ, dW, n_out, vectors, dtype):
    """dW[o, j] = factor Σₖ dZ[o, k] X[rows[k], first + j] for o < n_out, over all rows.

    j goes over so many vectors; places: (first, ahead). Prefetches the features `ahead` before
    these, which come next: 12288 → 7 and → 20 take 2 to 3 % less time. For one output it prefetches
    nothing: → 1 took 10 % more.
    """
    tall, wide = n_out.literal_value, vectors.literal_value
    signature = void(X, rows, places, types.float64, dZ, dW, n_out, vectors, dtype)

    def codegen(context, builder, sig, args):
        first, ahead = cgutils.unpack_tuple(builder, args[2])
        given = (*args[:2], first, args[3])
        v, lines, factor = _emit_operands(context, builder, (X, rows, dW, dtype), given)
        (_, _, ldd), d = emit_matrix(context, builder, dZ, args[4])
        (_, _, ldc), c = emit_matrix(context, builder, dW, args[5])
        m = builder.extract_value(context.make_array(rows)(context, builder, args[1]).shape, 0)
        ds = [builder.gep(d, [builder.mul(index_constant(i), ldd)]) for i in range(tall)]
        k, sums, end = v.loop(m, 1, [v.zero] * (tall * wide), once=True)
        sums, x = list(sums), lines.pointer(k)
        read = [lines.read(x, index_constant(j * v.lanes)) for j in range(wide)]
        if tall > 1:
            lines.prefetch(builder.gep(x, [builder.neg(ahead)]), wide * v.lanes)
        for i, pointer in enumerate(ds):
            slope = v.splat(builder.load(builder.gep(pointer, [k])))
            for j, line in enumerate(read, i * wide):
                sums[j] = v.multiply_add(slope, line, sums[j])
        end(sums)
        rows_of_c = [builder.mul(index_constant(i), ldc) for i in range(tall)]
        columns = [index_constant(j * v.lanes) for j in range(wide)]
        cells = [builder.add(row, column) for row in rows_of_c for column in columns]
        for cell, x in zip(cells, sums, strict=True):
            v.store(builder.fmul(x, v.splat(factor)), c, cell)
        return context.get_dummy_value()

    return signature, codegen


@inlined
def n_strided_tiles(n_features, n_out):
    """Return how many tiles rows have: as many in each half, or eighth of long rows."""
    if n_features < 2 * STRIDED_KC:
        return 1
    groups = FEATURE_GROUPS if n_features >= FEATURE_GROUPS * STRIDED_KC else 2
    longest = groups * (2 * STRIDED_KC if 2 * STRIDED_KC * n_out <= L1_WEIGHTS else STRIDED_KC)
    return (n_features + longest - 1) // longest * groups


def _forward_kernel(dtype, n_out):
    """Return the kernel for X of a dtype and so many outputs."""
    number, tall = dtype.type, STRIDED_MR[n_out - 1]

    def forward(X, rows, features, scaling, W, Z):
        """Z[o, e] += Σₖ (factor X[rows[e], k] + offset) W[o, k] over the features, for all o.

        W (n_out, features.n); Z (n_out, rows.size).
        """
        m = rows.size
        weights, w, ldw = W
        out, z, ldz = Z
        add_offset(n_out, features.n, scaling.offset, weights, w, ldw, m, out, z, ldz)
        for e in range(0, m, tall):
            own, target = view(rows, e, m - e), Matrix(out, z + e, ldz)
            _forward_tile(
                X, own, features, scaling.factor, W, target, min(tall, m - e), n_out, number
            )

    return forward


def _backward_kernel(dtype, n_out):
    """Return the kernel for X of a dtype and so many outputs."""
    number, vectors = dtype.type, STRIDED_NR_VECTORS[n_out - 1]
    narrow = min(vectors, NARROW_VECTORS)

    def backward(X, rows, features, scaling, dZ, dW):
        """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], k] + offset) over the features, for all o.

        dZ (n_out, rows.size), dW (n_out, features.n); STRIDED_MIN_FEATURES and a row at least.
        The last tile ends where the row does: where tiles overlap, they write the same.
        """
        k0, count = features
        slopes, d, ldd = dZ
        out, c, ldc = dW
        wide, short = vectors * lane_count(out), narrow * lane_count(out)
        whole, ahead = count // wide * wide if vectors > narrow else 0, min(k0, count)
        for j in range(0, whole, wide):
            target = Matrix(out, c + j, ldc)
            _backward_tile(
                X, rows, (k0 + j, ahead), scaling.factor, dZ, target, n_out, vectors, number
            )
        for k in range(whole, count, short):
            j = min(k, count - short)
            target = Matrix(out, c + j, ldc)
            _backward_tile(
                X, rows, (k0 + j, ahead), scaling.factor, dZ, target, n_out, narrow, number
            )
        add_offset(n_out, rows.size, scaling.offset, slopes, d, ldd, count, out, c, ldc)

    return backward


def _each(kernel_of):
    """The kernels of all dtypes and numbers of outputs, by their requirements."""
    counts = range(1, STRIDED_MAX_OUTPUTS + 1)
    return {
        strided_requirement(dtype, n): kernel_of(dtype, n)
        for dtype in STRIDED_DTYPES
        for n in counts
    }


_SIGNATURE = "X I1 Features Scaling Matrix Matrix"
_forward_by = indirect_each(_SIGNATURE, _each(_forward_kernel))
_backward_by = indirect_each(_SIGNATURE, in_training_each(_each(_backward_kernel)))


@inlined
def _first_output(n_out, i):
    """The first of the outputs that the i-th kernel for n_out outputs computes: evenly shared."""
    return n_out * i // ((n_out + STRIDED_MAX_OUTPUTS - 1) // STRIDED_MAX_OUTPUTS)


@inlined
def strided_forward(table, n_out, X, rows, features, scaling, W, Z):
    """Z[o, e] += Σₖ (factor X[rows[e], k] + offset) W[o, k] over the features, for o < n_out.

    W (n_out, features.n); Z (n_out, rows.size).
    """
    weights, w, ldw = W
    out, z, ldz = Z
    first = X.dtype_code * STRIDED_MAX_OUTPUTS - 1
    for i in range((n_out + STRIDED_MAX_OUTPUTS - 1) // STRIDED_MAX_OUTPUTS):
        o, end = _first_output(n_out, i), _first_output(n_out, i + 1)
        W_o, Z_o = Matrix(weights, w + o * ldw, ldw), Matrix(out, z + o * ldz, ldz)
        _forward_by(table, first + end - o, X, rows, features, scaling, W_o, Z_o)


@inlined
def strided_backward(table, n_out, X, rows, features, scaling, dZ, dW):
    """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], k] + offset) over the features, for o < n_out.

    dZ (n_out, rows.size); dW (n_out, features.n).
    """
    slopes, d, ldd = dZ
    out, c, ldc = dW
    first = X.dtype_code * STRIDED_MAX_OUTPUTS - 1
    for i in range((n_out + STRIDED_MAX_OUTPUTS - 1) // STRIDED_MAX_OUTPUTS):
        o, end = _first_output(n_out, i), _first_output(n_out, i + 1)
        dZ_o, dW_o = Matrix(slopes, d + o * ldd, ldd), Matrix(out, c + o * ldc, ldc)
        _backward_by(table, first + end - o, X, rows, features, scaling, dZ_o, dW_o)
