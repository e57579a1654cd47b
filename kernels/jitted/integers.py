"""Products of bytes with numbers in digits, summed as integers: exactly, four at a time.

A CPU with VNNI multiplies 64 bytes with 64 signed ones, and adds up the products by fours, in one
instruction. Three of them, one for each digit, do what four multiply-adds of floats do, and no byte
is widened. Only the other factor is rounded, as `digits` says; sums are rounded where three of
them become a number. So they are nearer to the exact ones than those of float32: by half, with
12288 numbers of one size.
"""

from __future__ import annotations

import numpy as np
from numba.extending import intrinsic

from ._jit import inlined
from ._link import ONLY, in_training, linked
from .digits import cut, length, number
from .memory import address, part
from .panels import mixed, turned
from .simd import INT, Vectors, constant, data, index, multiplies_bytes, void
from .words import BYTES, LANES, PANEL, TALL, WORDS, same

NAME = "integers"  # what networks name that need these kernels
ONLY[NAME] = ONLY[in_training(NAME)] = (np.dtype(np.float32),) if multiplies_bytes() else ()
EXAMPLES, FEATURES = 256, 128  # at a time, on the way back
#: Outputs from which on they take less time than what else reads rows in place, and examples of a
#: batch: 209 × 12288 bytes to 5 outputs and back took as long, to 7 0.8 times. Of first layers that
#: are otherwise laid out: features, and examples.
OUTPUTS, FEW = 6, 16
LONG, MANY = 256, 48
ROOM = (
    112 * 1024
)  # numbers that a product takes at most, for a panel and for digits, from a line on


def multiply(op, dtype, batch):
    """Tell whether bytes read in place go through that DENSE row so, in steps of so many examples.

    None: in predictions, whose bits must not depend on how many there are.
    """
    known = dtype in ONLY[NAME] and op["n_out"] >= OUTPUTS
    return known and (batch is None or batch >= FEW)


def replace(op, dtype, batch):
    """Tell whether that is faster than to lay the bytes out first, where that is done."""
    return multiply(op, dtype, batch) and op["n_in"] >= LONG and (batch is None or batch >= MANY)


def _sums(builder, v, words, b, rows):
    """sums[i][j][q]: vector j of the sums of row i's q-th digits."""
    tall = len(rows)
    k, sums, end = v.loop(words, 1, [same(0)] * (tall * 6), once=True)
    sums = list(sums)
    b = builder.gep(b, [builder.mul(k, constant(PANEL))])
    octets = [builder.bitcast(v.load(b, constant(j * LANES)), WORDS) for j in range(2)]
    at, word = builder.mul(k, constant(4)), INT.as_pointer()
    for i in range(tall):
        row = builder.bitcast(builder.gep(rows[i], [at]), word)
        for q in range(3):
            digit = v.splat(builder.load(builder.gep(row, [constant(q)])))
            for j, line in enumerate(octets):
                place = (i * 2 + j) * 3 + q
                values = [sums[place], line, digit]
                sums[place] = v.call("llvm.x86.avx512.vpdpbusd.512", WORDS, values)
    end(sums)
    return [[sums[(i * 2 + j) * 3 : (i * 2 + j) * 3 + 3] for j in range(2)] for i in range(tall)]


def _tile_of(tall):
    """Return the intrinsic that computes so many rows of C in PANEL columns, or fewer columns."""

    @intrinsic
    def tile(typingctx, B, b, words, d, ldd, factor, C, c, ldc, used, add):
        """C[c + i ldc + j] = (add: itself +) factor Σ digits times bytes, i < tall, j < used.

        A panel of bytes lies at B[b:], rows of digits at B[d:], ldd apart.
        """
        signature = void(B, index, index, index, index, factor, C, *(index,) * 4)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, C.dtype)
            b, d = (data(context, builder, B, args[0], args[place]) for place in (1, 3))
            c, ldc, used = data(context, builder, C, *args[6:8]), *args[8:10]
            rows = [builder.gep(d, [builder.mul(constant(i), args[4])]) for i in range(tall)]
            sums = _sums(builder, v, args[2], b, rows)
            factor, end = builder.fptrunc(args[5], v.scalar), builder.sub(args[4], constant(LANES))
            adds = builder.icmp_signed("!=", args[10], constant(0))
            for i, row in enumerate(rows):
                unit = v.splat(builder.fmul(factor, builder.load(builder.gep(row, [end]))))
                for j in range(2):
                    rest = builder.sub(used, constant(j * LANES))
                    mask = v.mask(builder.trunc(rest, INT))
                    place = builder.add(builder.mul(constant(i), ldc), constant(j * LANES))
                    start = builder.select(adds, v.load_masked(c, place, mask), v.zero)
                    total = v.multiply_add(number(builder, v, sums[i][j]), unit, start)
                    v.store_masked(total, c, place, mask)
            return context.get_dummy_value()

        return signature, codegen

    return tile


_one, _two, _three, _four = (_tile_of(tall) for tall in range(1, TALL + 1))


@inlined
def _tiles(n, words, B, b, d, ldd, factor, C, c, ldc, used, add):
    """C[c + o ldc + j] = (add: itself +) factor Σ digits times bytes, o < n, j < used."""
    for o in range(0, n, TALL):
        q, at, tall = d + o * ldd, c + o * ldc, n - o
        if tall > 3:
            _four(B, b, words, q, ldd, factor, C, at, ldc, used, add)
        elif tall == 3:
            _three(B, b, words, q, ldd, factor, C, at, ldc, used, add)
        elif tall == 2:
            _two(B, b, words, q, ldd, factor, C, at, ldc, used, add)
        else:
            _one(B, b, words, q, ldd, factor, C, at, ldc, used, add)


@inlined
def padded(m, step):
    """M rounded up to whole steps."""
    return (m + step - 1) // step * step


@inlined
def _evenly(m, most, step):
    """M cut into as few pieces of at most `most` as can be: how many each has, whole steps."""
    pieces = (m + most // step * step - 1) // (most // step * step)
    return padded((m + pieces - 1) // pieces, step)


@linked("i i X I1 i f f F1 i i F1 i i F1 i", when=NAME)
def forward(n, N, X, rows, k0, scale, offset, W, w, ldw, C, c, ldc, work, p):
    """C[c + e + o ldc] += Σₖ (scale X[rows[e], k0 + k] + offset) W[w + o ldw + k], o < n, k < N.

    N is at most 2000, for a panel and digits have to fit; work[p:] has ROOM.
    """
    words = (N + BYTES - 1) // BYTES * LANES
    p += -(address(work) // 4 + p) % LANES  # in vectors that cross lines tiles are half as fast
    for o in range(n if offset != 0 else 0):
        total = W.dtype.type(0)
        for k in range(N):
            total += W[w + o * ldw + k]
        for e in range(rows.size):
            C[c + e + o * ldc] += W.dtype.type(offset) * total
    kept = padded(rows.size, PANEL) * words  # numbers of all panels, if they are laid only once
    again = kept > ROOM // 2 or n <= (ROOM - LANES - PANEL * words) // length(words)
    d = p + (PANEL * words if again else kept)
    many = _evenly(n, (ROOM - LANES + p - d) // length(words), TALL)
    for o in range(0, n, many):
        count = min(many, n - o)
        cut(count, N, words, W, w + o * ldw, ldw, work, d)
        for e in range(0, rows.size, PANEL):
            m, b = min(PANEL, rows.size - e), p if again else p + e * words
            for j in range(0, m if again or o == 0 else 0, LANES):
                turned(X, part(rows, e + j, m - j), k0, N, work, b + j, min(LANES, m - j))
            at = c + o * ldc + e
            _tiles(
                count, (N + 3) // 4, work, b, d, length(words), scale, C, at, ldc, m, 1
            )  # fmt: skip


@linked("i i X I1 i f f F1 i i F1 i i F1 i", when=in_training(NAME))
def backward(n, N, X, rows, k0, scale, offset, D, d, ldd, C, c, ldc, work, p):
    """C[c + o ldc + k] = Σⱼ D[d + o ldd + j] (scale X[rows[j], k0 + k] + offset), o < n, k < N.

    work[p:] has ROOM.
    """
    step = _evenly(rows.size, EXAMPLES, 4)
    p += -(address(work) // 4 + p) % LANES
    for first in range(0, rows.size, step):
        m, add = min(step, rows.size - first), 1 if first > 0 else 0
        words = (m + 3) // 4
        long, q = (words + LANES - 1) // LANES * LANES, p + FEATURES * words
        many = _evenly(n, (ROOM - LANES - FEATURES * words) // length(long), TALL)
        for o in range(0, n, many):
            count = min(many, n - o)
            cut(count, m, long, D, d + o * ldd + first, ldd, work, q)
            for f in range((N - 1) // FEATURES * FEATURES, -1, -FEATURES):
                wide, k = min(FEATURES, N - f), k0 + f
                for e in range(0, m, 4):
                    own = part(rows, first + e, m - e)
                    mixed(X, own, k, wide, work, p + e // 4 * PANEL, words, min(4, m - e))
                for j in range(0, wide, PANEL):
                    _tiles(
                        count, words, work, p + j * words, q, length(long), scale, C,
                        c + o * ldc + f + j, ldc, min(PANEL, wide - j), add,
                    )  # fmt: skip
    for o in range(n if offset != 0 else 0):
        total = D.dtype.type(0)
        for j in range(rows.size):
            total += D[d + o * ldd + j]
        for k in range(N):
            C[c + o * ldc + k] += D.dtype.type(offset) * total
