"""Products of X[rows] with W or dZ that read X in place, for first layers of few units.

The elements of X are converted to the network's dtype in registers, once for each tile of up to 10
units (6 units on CPUs with 16 vector registers). A kernel is compiled for each number of units of a
tile; a network needs one or two of them. One factor scales all features: it multiplies the sums.
To copy and convert blocks of images first takes longer up to at least 24 units, and 2.5 times as
long for one unit.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...partition import CACHE_LINE
from ..codegen.cpu import block_sizes
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
from ..compiler.definitions import in_training_each, indirect_each
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from ..gemm.inner_product import accumulate_dots, store_totals
from ..gemm.packing import lane_count
from ..records import Matrix
from .sizes import FEATURE_GROUPS, STRIDED_KC
from .strategy import STRIDED_DTYPES, strided_requirement

#: Largest number of float32 weights (units × features of a tile) for the first-level cache.
L1_WEIGHTS = 12_000
#: Vectors of features of the gradient's narrow tile, which covers what wide tiles leave. On any CPU
#: they hold at most STRIDED_MIN_FEATURES features, because a vector has at most 16 lanes.
NARROW_VECTORS = 4

#: At index n − 1, for a tile of n units: its examples forward, and its vectors of features in the
#: gradient.
STRIDED_MR, STRIDED_NR_VECTORS = block_sizes().STRIDED_MR, block_sizes().STRIDED_NR_VECTORS
STRIDED_MAX_OUTPUTS = len(STRIDED_MR)  # largest number of units of a tile


class _StridedRows:
    """Emits loads of vectors of features of X[rows[j]], converted to the network's dtype.

    v: the Vectors of that dtype. args: (X, rows, first): the Input as a record of LLVM values, the
    address of the indices of examples, and the first feature. kind: Numba type of an element of X.
    """

    def __init__(self, context, builder, v, args, kind):
        X, self.rows, self.first = args
        self.builder, self.v, self.kind = builder, v, kind
        self.address, self.stride = X.address, X.row_stride
        self.pointers = context.get_data_type(kind).as_pointer()

    def pointer(self, j):
        """Emit the LLVM address of X[rows[j], first]; j: an LLVM integer."""
        builder = self.builder
        row = builder.load(builder.gep(self.rows, [j]))
        place = builder.add(builder.mul(row, self.stride), self.first)
        place = builder.mul(place, index_constant(self.kind.bitwidth // 8))
        return builder.inttoptr(builder.add(self.address, place), self.pointers)

    def read(self, pointer, offset, mask=None):
        """Emit the load of an LLVM vector at `pointer` + `offset` elements, and its conversion.

        mask: a bit for each lane, 1: load it, 0: it becomes 0; None: all lanes are loaded.
        """
        return self.v.load_converted(self.kind, self.builder.gep(pointer, [offset]), mask)

    def prefetch(self, pointer, count):
        """Emit prefetches of the cache lines of the `count` (an int) elements behind a pointer."""
        for place in range(0, count, CACHE_LINE // (self.kind.bitwidth // 8)):
            emit_prefetch(self.builder, self.builder.gep(pointer, [index_constant(place)]))


def _emit_operands(context, builder, kinds, args):
    """Emit the operands of a tile: (Vectors of C's dtype, _StridedRows of X, factor as a scalar).

    kinds: Numba types of X, rows, C and of an element of X; args: LLVM values of the Input X, the
    indices of examples, the first feature, and the factor (float64).
    """
    X, rows, C, dtype = kinds
    v = Vectors(context, builder, C.types[0].dtype)
    order = element_pointer(context, builder, rows, args[1], index_constant(0))
    source = emit_record(builder, X, args[0]), order, args[2]
    lines = _StridedRows(context, builder, v, source, dtype.instance_type)
    return v, lines, v.from_float64(args[3])


@intrinsic(prefer_literal=True)
def _forward_tile(typingctx, X, rows, features, factor, W, Z, used, n_out, dtype):
    """Z[o, e] += factor Σₖ X[rows[e], first + k] W[o, k] for o < n_out and e < used.

    k runs to n − 1; (first, n) = features. X: an Input; dtype: NumPy scalar type of its elements;
    rows: indices of examples. W, Z: Matrices (n_out, n) and (n_out, used). used: 1 to
    STRIDED_MR[n_out − 1] examples; if fewer, the tile computes the last one several times. n_out: a
    literal, 1 to STRIDED_MAX_OUTPUTS.
    """
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
    """dW[o, j] = factor Σₖ dZ[o, k] X[rows[k], first + j], k over all examples; o < n_out.

    j runs over the features of `vectors` vectors; n_out and vectors are literals. X: an Input;
    dtype: NumPy scalar type of its elements. dZ, dW: Matrices (n_out, rows.size) and (n_out,
    features). places = (first, ahead): the features from first − ahead on, which come next, are
    prefetched; 12288 → 7 and → 20 take 2 to 3 % less time. For one unit nothing is: → 1 took 10 %
    more.
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
    """Return the number of tiles that n_features are cut into, to be summed one after another.

    Below 2 · STRIDED_KC features it is 1, else a multiple of 2, or of FEATURE_GROUPS for many
    features: equally many tiles in each group. Few units (n_out) have tiles of twice the length.
    """
    if n_features < 2 * STRIDED_KC:
        return 1
    groups = FEATURE_GROUPS if n_features >= FEATURE_GROUPS * STRIDED_KC else 2
    longest = groups * (2 * STRIDED_KC if 2 * STRIDED_KC * n_out <= L1_WEIGHTS else STRIDED_KC)
    return (n_features + longest - 1) // longest * groups


def _forward_kernel(dtype, n_out):
    """Return the kernel that adds X[rows] Wᵀ to n_out units of Z, for X of a np.dtype `dtype`."""
    number, tall = dtype.type, STRIDED_MR[n_out - 1]

    def forward(X, rows, features, scaling, W, Z):
        """Z[o, e] += Σₖ (factor X[rows[e], first + k] + offset) W[o, k] for o < n_out and e < m.

        k runs to n − 1; (first, n) = features; (factor, offset) = scaling, a Scaling. X: an Input;
        rows (m,): indices of examples. W, Z: Matrices (n_out, n), column k for feature first + k,
        and (n_out, m).
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
    """Return the kernel that writes dW (n_out, n) from dZ (n_out, m) and X[rows]; dtype: X's."""
    number, vectors = dtype.type, STRIDED_NR_VECTORS[n_out - 1]
    narrow = min(vectors, NARROW_VECTORS)

    def backward(X, rows, features, scaling, dZ, dW):
        """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], first + k] + offset) for o < n_out and k < n.

        (first, n) = features, n ≥ STRIDED_MIN_FEATURES; (factor, offset) = scaling, a Scaling. X:
        an Input; rows (m,), m ≥ 1. dZ, dW: Matrices (n_out, m) and (n_out, n). The last tile ends
        with the last feature: where it overlaps the tile before it, both write equal numbers.
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
    """Return {requirement: kernel_of(dtype, n)} for all STRIDED_DTYPES and numbers n of units.

    A requirement is the name by which a program requests the kernel.
    """
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
    """Return the first unit of the i-th tile of n_out units.

    The tiles are as few as possible and nearly equal, of at most STRIDED_MAX_OUTPUTS units each.
    """
    return n_out * i // ((n_out + STRIDED_MAX_OUTPUTS - 1) // STRIDED_MAX_OUTPUTS)


@inlined
def strided_forward(table, n_out, X, rows, features, scaling, W, Z):
    """Z[o, e] += Σₖ (factor X[rows[e], first + k] + offset) W[o, k] for o < n_out (≥ 1) and e < m.

    k runs to n − 1; (first, n) = features; (factor, offset) = scaling, a Scaling. X: an Input; rows
    (m,): indices of examples. W, Z: Matrices (n_out, n), column k for feature first + k, and
    (n_out, m). table: the kernel pointers.
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
    """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], first + k] + offset) for o < n_out (≥ 1) and k < n.

    (first, n) = features, n ≥ STRIDED_MIN_FEATURES; (factor, offset) = scaling, a Scaling. X: an
    Input; rows (m,): indices of examples. dZ, dW: Matrices (n_out, m) and (n_out, n), column k for
    feature first + k. table: the kernel pointers.
    """
    slopes, d, ldd = dZ
    out, c, ldc = dW
    first = X.dtype_code * STRIDED_MAX_OUTPUTS - 1
    for i in range((n_out + STRIDED_MAX_OUTPUTS - 1) // STRIDED_MAX_OUTPUTS):
        o, end = _first_output(n_out, i), _first_output(n_out, i + 1)
        dZ_o, dW_o = Matrix(slopes, d + o * ldd, ldd), Matrix(out, c + o * ldc, ldc)
        _backward_by(table, first + end - o, X, rows, features, scaling, dZ_o, dW_o)
