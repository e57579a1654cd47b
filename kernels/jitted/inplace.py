"""Products over rows of X as they lie in memory, picked by index: narrow first layers.

Numbers are widened in registers, again for every 8 outputs; what scales them all alike is applied
to the sums. To lay images down as numbers, block by block, takes longer up to 24 outputs at least,
and 2.5 times as long for one.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from ..opcodes import READ
from ..steps import statistics
from ._jit import inlined
from ._link import linked_each
from .dots import FEW, MANY, ONE, accumulate, store_totals
from .memory import CODES, MARK, NAMES, part
from .pack import lanes_of
from .simd import Vectors, clamped, constant, data, index, machine, void

KINDS = READ[:3]  # dtypes that are read so, by the code of X: float32, float64, uint8
DOUBLE, BYTES = CODES[np.dtype(np.float64)], CODES[np.dtype(np.uint8)]
SPAN = 768  # features at a time, or some more, whole tiles: their weights stay in the first cache
FAR = 2.0**30  # factors, and their inverse, up to which numbers may be scaled after they are summed
UNITS = 8.0  # that bytes may span once they are scaled: with more, sums of sx and o would cancel

#: Vectors of features that a tile of the gradient holds for up to so many outputs: sums, what is
#: read and a factor fill the registers. With 1 and 8, which read too little of a row at once, 25 %
#: slower an output.
WIDE = {1: 16, 2: 8, 4: 6, 6: 4, 8: 3} if machine()[1] == 32 else {1: 8, 2: 4, 4: 3, 6: 2, 8: 1}
FEWEST = 64  # features that tiles of 6 and 8 outputs always find; others give way to them


def use(dtype):
    """What the linked kernels of a dtype are needed for."""
    return f"{NAMES[dtype]} in place"


class _Rows:
    """Emits what both tiles read: vectors of the numbers behind X[rows[j], k], of a Numba type."""

    def __init__(self, context, builder, v, X, rows, k, kind):
        self.builder, self.v, self.rows, self.k, self.kind = builder, v, rows, k, kind
        self.address, self.step = (builder.extract_value(X, i) for i in range(2))
        self.pointers = context.get_data_type(kind).as_pointer()

    def pointer(self, j):
        """Address of the first number of an example, j counted in `rows`."""
        builder = self.builder
        row = builder.load(builder.gep(self.rows, [j]))
        place = builder.add(builder.mul(row, self.step), self.k)
        place = builder.mul(place, constant(self.kind.bitwidth // 8))
        return builder.inttoptr(builder.add(self.address, place), self.pointers)

    def read(self, pointer, offset, mask=None):
        """A vector of them as numbers."""
        return self.v.load_as(self.kind, self.builder.gep(pointer, [offset]), mask)


def _begun(context, builder, kinds, args):
    """The vectors, the rows of X, the scale, and where the other factor and C begin."""
    kind, rows, other, C = kinds
    v = Vectors(context, builder, C.dtype)
    order = data(context, builder, rows, args[1], constant(0))
    lines = _Rows(context, builder, v, args[0], order, args[2], kind.instance_type)
    scale = builder.fptrunc(args[3], v.scalar) if v.size == 4 else args[3]
    places = (data(context, builder, one, args[i], args[i + 1]) for i, one in ((4, other), (7, C)))
    return v, lines, scale, *places


def _forward(tall, wide):
    """Return the intrinsic of tall × wide dot products, or fewer.

    C[c + e + o co] += scale Σₖ X[rows[e], k0 + k] W[w + o ldw + k] for e < used, o < width.
    """

    @intrinsic
    def tile(typingctx, X, rows, k0, scale, W, w, ldw, C, c, co, K, used, width, kind):
        counts = (index,) * 5
        signature = void(X, rows, index, types.float64, W, index, index, C, *counts, kind)

        def codegen(context, builder, sig, args):
            v, lines, scale, w, c = _begun(context, builder, (kind, rows, W, C), args)
            tops = [clamped(builder, e, args[11]) for e in range(tall)]
            sides = [clamped(builder, o, args[12]) for o in range(wide)]
            xs = [lines.pointer(e) for e in tops]
            ws = [builder.gep(w, [builder.mul(o, args[6])]) for o in sides]
            sums = accumulate(builder, v, xs, ws, args[10], lines.read)
            cells = [
                builder.gep(c, [builder.add(e, builder.mul(o, args[9]))])
                for e in tops
                for o in sides
            ]
            starts = [builder.load(cell) for cell in cells]
            scaled = [builder.fmul(x, v.splat(scale)) for x in sums]
            store_totals(builder, v, scaled, starts, cells)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _backward(tall, wide):
    """Return the intrinsic of tall rows and `wide` vectors of dW, or fewer rows.

    C[c + i ldc + j] = scale Σₖ D[d + i ldd + k] X[rows[k], k0 + j] for i < used, k < m.
    """

    @intrinsic
    def tile(typingctx, X, rows, k0, scale, D, d, ldd, C, c, ldc, m, used, kind):
        counts = (index,) * 4
        signature = void(X, rows, index, types.float64, D, index, index, C, *counts, kind)

        def codegen(context, builder, sig, args):
            v, lines, scale, d, c = _begun(context, builder, (kind, rows, D, C), args)
            places = [clamped(builder, i, args[11]) for i in range(tall)]
            ds = [builder.gep(d, [builder.mul(i, args[6])]) for i in places]
            k, sums, end = v.loop(args[10], 1, [v.zero] * (tall * wide), once=True)
            sums, x = list(sums), lines.pointer(k)
            vectors = [lines.read(x, constant(j * v.lanes)) for j in range(wide)]
            for i, pointer in enumerate(ds):
                factor = v.splat(builder.load(builder.gep(pointer, [k])))
                for j, line in enumerate(vectors):
                    at = i * wide + j
                    sums[at] = v.multiply_add(factor, line, sums[at])
            end(sums)
            rows_of_c = [builder.mul(place, args[9]) for place in places]
            cells = [builder.add(r, constant(j * v.lanes)) for r in rows_of_c for j in range(wide)]
            for cell, x in zip(cells, sums, strict=True):
                v.store(builder.fmul(x, v.splat(scale)), c, cell)
            return context.get_dummy_value()

        return signature, codegen

    return tile


_many, _few, _one = (_forward(*shape) for shape in (MANY, FEW, ONE))
(WIDE_1, WIDE_2, WIDE_4, WIDE_6, WIDE_8), TALLEST = WIDE.values(), max(WIDE)
_back_one, _back_two, _back_four, _back_six, _back_eight = (
    _backward(tall, wide) for tall, wide in WIDE.items()
)


@inlined
def _tiles(tile, tall, o, n, m, K, X, rows, k0, scale, W, w, ldw, C, c, co, kind):
    """Tiles of one shape side by side: the outputs o … o+n−1 of all m rows."""
    for e in range(0, m, tall):
        tile(
            X, part(rows, e, m - e), k0, scale, W, w + o * ldw, ldw, C, c + e + o * co, co,
            K, min(tall, m - e), n, kind,
        )  # fmt: skip


@inlined
def _line(op, state):
    """The factor and offset of an INPUT row that scales all features alike."""
    if op.stats == 0:
        return 1.0, 0.0
    low = np.float64(state[op.state]) + np.float64(state[op.state + 2])
    factor = np.float64(state[op.state + 1])
    return factor, op.offset - low * factor


def mark(X, op, state):
    """Return X's description, marked where X can be read where it lies; op: its INPUT row.

    Not where numbers are shifted, or scaled by so much, or scaled that lose digits in the network's
    dtype: sums of what is large or vanishes before would be wrong.
    """
    address, rows, columns, code = X
    if op["stats"] > 1 or code > BYTES or columns != 1 or op["n_out"] < FEWEST:
        return X
    if op["stats"]:
        low, factor, rest = (float(part[0]) for part in statistics(state, op))
        shifted = op["offset"] != (low + rest) * factor
        wide = abs(factor) * 255 > UNITS if code == BYTES else True
        far = code != BYTES and not 1 / FAR <= abs(factor) <= FAR
        if (shifted and wide) or far or (code == DOUBLE and state.itemsize == 4):
            return X
    return address, rows, columns, MARK + code


@inlined
def marked(X):
    """Tell whether X is read where it lies."""
    return X[3] >= MARK


@inlined
def span(n, tile):
    """Where a tile of n features begins and how many it has: SPAN, and what does not fill one."""
    begin = tile * SPAN
    return begin, n - begin if n - begin < 2 * SPAN else SPAN


def _forward_of(dtype):
    """Return the kernel for X of a dtype."""
    kind = dtype.type

    def forward(n, K, X, rows, k0, scale, offset, W, w, ldw, C, c, co):
        """C[c + e + o co] += Σₖ (scale X[rows[e], k0 + k] + offset) W[w + o ldw + k], o < n."""
        o, m = 0, rows.size
        for i in range(n if offset != 0 else 0):
            total = W.dtype.type(0)
            for k in range(K):
                total += W[w + i * ldw + k]
            for e in range(m):
                C[c + e + i * co] += W.dtype.type(offset) * total
        while o < n:
            left = n - o
            if left > FEW[1]:
                left = min(left, MANY[1])
                _tiles(_many, MANY[0], o, left, m, K, X, rows, k0, scale, W, w, ldw, C, c, co, kind)
            elif left > 1:
                _tiles(_few, FEW[0], o, left, m, K, X, rows, k0, scale, W, w, ldw, C, c, co, kind)
            else:
                _tiles(_one, ONE[0], o, left, m, K, X, rows, k0, scale, W, w, ldw, C, c, co, kind)
            o += left

    return forward


@inlined
def _back_tiles(n, N, X, rows, k0, scale, D, d, ldd, C, c, ldc, kind):
    """Tiles side by side: n outputs, up to 8. The last one of a row ends where the row does."""
    j, m, lanes = 0, rows.size, lanes_of(C)
    while j < N:
        if n == 1 and N - j >= WIDE_1 * lanes:
            _back_one(X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, n, kind)
            j += WIDE_1 * lanes
        elif n <= 2 and WIDE_2 * lanes <= N:
            j = min(j, N - WIDE_2 * lanes)
            _back_two(X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, n, kind)
            j += WIDE_2 * lanes
        elif n <= 4 and WIDE_4 * lanes <= N:
            j = min(j, N - WIDE_4 * lanes)
            _back_four(X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, n, kind)
            j += WIDE_4 * lanes
        elif n <= 6:
            j = min(j, N - WIDE_6 * lanes)
            _back_six(X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, n, kind)
            j += WIDE_6 * lanes
        else:
            j = min(j, N - WIDE_8 * lanes)
            _back_eight(X, rows, k0 + j, scale, D, d, ldd, C, c + j, ldc, m, n, kind)
            j += WIDE_8 * lanes


def _backward_of(dtype):
    """Return the kernel for X of a dtype."""
    kind = dtype.type

    def backward(n, N, X, rows, k0, scale, offset, D, d, ldd, C, c, ldc):
        """C[c + o ldc + k] = Σⱼ D[d + o ldd + j] (scale X[rows[j], k0 + k] + offset), o < n.

        N, the count of k, is at least FEWEST; rows holds at least one. Where tiles overlap, the
        same is written again.
        """
        for o in range(0, n, TALLEST):
            tall, at, cell = min(n - o, TALLEST), d + o * ldd, c + o * ldc
            _back_tiles(tall, N, X, rows, k0, scale, D, at, ldd, C, cell, ldc, kind)
            for i in range(tall if offset != 0 else 0):
                total = D.dtype.type(0)
                for j in range(rows.size):
                    total += D[at + i * ldd + j]
                for k in range(N):
                    C[cell + i * ldc + k] += D.dtype.type(offset) * total

    return backward


_forward_by, _backward_by = (
    linked_each("i i X I1 i f f F1 i i F1 i i", {use(kind): kernel_of(kind) for kind in KINDS})
    for kernel_of in (_forward_of, _backward_of)
)


@inlined
def forward(table, op, n, N, X, rows, k0, state, W, w, ldw, C, c, ldc):
    """C[c + e + o ldc] += Σₖ X[rows[e], k0 + k] W[w + o ldw + k], o < n, k < N; X scaled by op."""
    scale, offset = _line(op, state)
    code = X[3] - MARK
    _forward_by(table, code, n, N, X, rows, k0, scale, offset, W, w, ldw, C, c, ldc)


@inlined
def backward(table, op, n, N, X, rows, k0, state, D, d, ldd, C, c, ldc):
    """C[c + o ldc + k] = Σⱼ D[d + o ldd + j] X[rows[j], k0 + k], o < n, k < N; X scaled by op."""
    scale, offset = _line(op, state)
    code = X[3] - MARK
    _backward_by(table, code, n, N, X, rows, k0, scale, offset, D, d, ldd, C, c, ldc)
