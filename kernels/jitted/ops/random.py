"""Random numbers by Philox-4x32-10, a pure function of a counter and a key, and what uses them.

Four 32-bit integers as counter and two as key give four random 32-bit integers: Salmon, Moraes,
Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Shuffles depend on seed and
epoch; dropout and noise also on the layer, the unit and the example's number in the whole data, and
not on batches or threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ...opcodes import MAX_WHOLE_SHUFFLE, SHUFFLE_PIECE, SHUFFLE_WINDOW, Purpose
from ..codegen.barrier import barrier_wait
from ..codegen.float_bits import is_negative_zero
from ..codegen.pointers import view, view_row
from ..codegen.simd import INT32, Vectors, element_pointer, emit_record, index, index_constant, void
from ..compiler.definitions import entry, indirect
from ..compiler.jit import inlined
from ..gemm.packing import lane_count
from ..records import Matrix

#: Second integer of Philox's key, whose first one is the seed: a `Purpose` in the upper 16 bits.
#: The lower 16 bits, 0 here, are the index of the layer among layers that draw random numbers.
SHUFFLE_KEY = int(Purpose.SHUFFLE) << 16
DROPOUT_KEY, NOISE_KEY = int(Purpose.DROPOUT) << 16, int(Purpose.NOISE) << 16

#: Philox's constants: each round multiplies integers 0 and 2 of the counter by MULTIPLIERS and then
#: increases integers 0 and 1 of the key by INCREMENTS.
MULTIPLIERS, INCREMENTS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)


@inlined
def philox_words(c0, c1, c2, c3, k0, k1):
    """Return a tuple of four random 32-bit integers, as uint64, by ten rounds of Philox-4x32.

    c0 … c3: the counter, k0, k1: the key, each an integer 0 … 2³² − 1.
    """
    a, b, c, d = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0, k1 = np.uint64(k0), np.uint64(k1)
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (q >> half) ^ b ^ k0, q & mask, (p >> half) ^ d ^ k1, p & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return a, b, c, d


@entry("i i i i i i I1", requires="words")
def draw_words(c0, c1, c2, c3, k0, k1, words):
    """words ← four random 32-bit integers, `philox_words` of the counter and the key.   (4,)."""
    for k, word in enumerate(philox_words(c0, c1, c2, c3, k0, k1)):
        words[k] = np.int64(word)


@inlined
def _words(group, row, epoch, seed, key):
    """Return a tuple of four random 32-bit integers, as uint64, for four units of an example.

    The units are 4 · group … 4 · group + 3. row: the example's number in the whole data; epoch,
    seed: ints; key: DROPOUT_KEY or NOISE_KEY, or-ed with the index of the layer.
    """
    return philox_words(group, row & 0xFFFFFFFF, epoch, row >> 32, seed, key)


@inlined
def _permute(order, seed, epoch, number):
    """Put the elements of order (m,) into a random order; `number` is that of the permutation.

    Fisher and Yates: for i from m − 1 down to 1, order[i] is swapped with order[⌊u (i + 1) / 2³²⌋],
    where u is the random 32-bit integer of i. Philox returns the integers of four i in one call.
    """
    m = order.size
    for group in range((m - 1) // 4, -1, -1):
        words = philox_words(group, epoch, number, 0, seed, SHUFFLE_KEY)
        for lane in range(3, -1, -1):
            i = 4 * group + lane
            if 0 < i < m:
                j = np.int64(words[lane] * np.uint64(i + 1) >> np.uint64(32))
                order[i], order[j] = order[j], order[i]


@inlined
def _fill_pieces(order, pieces):
    """Replace the numbers of pieces, order[: pieces], by the rows of these pieces.

    order (m,): written; rows that fill no piece come last.
    """
    for i in range(pieces - 1, -1, -1):  # backwards: no number is overwritten before it is read
        first, rows = order[i] * SHUFFLE_PIECE, view(order, i * SHUFFLE_PIECE, SHUFFLE_PIECE)
        for k in range(SHUFFLE_PIECE):
            rows[k] = first + k
    for i in range(pieces * SHUFFLE_PIECE, order.size):
        order[i] = i


@indirect("I1 i i Team", requires="shuffle", entrance=True)
def shuffle_rows(order, seed, epoch, team):
    """Fill order (m,) int64 with a permutation of 0 … m − 1 that depends only on seed and epoch.

    Up to MAX_WHOLE_SHUFFLE rows are permuted whole; of more pieces of SHUFFLE_PIECE rows are, and
    then the rows of each window. Windows have about as many pieces, up to SHUFFLE_WINDOW; the last
    one has the rows that fill no piece, too. Threads of a team take windows in turn.
    """
    m = order.size
    pieces = m // SHUFFLE_PIECE if m > MAX_WHOLE_SHUFFLE else m
    if team.tid == 0:
        for i in range(pieces):
            order[i] = i
        _permute(view(order, 0, pieces), seed, epoch, 0)
        if pieces < m:
            _fill_pieces(order, pieces)
    windows = (pieces + SHUFFLE_WINDOW - 1) // SHUFFLE_WINDOW if pieces < m else 0
    if windows > 0:
        barrier_wait(team)
    for window in range(team.tid, windows, team.n_threads):
        first = pieces * window // windows * SHUFFLE_PIECE
        end = pieces * (window + 1) // windows * SHUFFLE_PIECE if window < windows - 1 else m
        _permute(view(order, first, end - first), seed, epoch, 1 + window)
    barrier_wait(team)


def _rounds(builder, counter, keys):
    """Emit ten rounds of Philox and return a tuple of four LLVM vectors of random 32-bit integers.

    counter: four, keys: two LLVM vectors of 32-bit integers. Lanes of all vectors have 64 bits, the
    upper 32 of them 0, because products of two 32-bit integers need them.
    """
    kind = counter[0].type

    def splat(value):
        return ir.Constant(kind, [value] * kind.count)

    a, b, c, d = counter
    half, low = splat(32), splat(2**32 - 1)
    for _ in range(10):
        p, q = (builder.mul(splat(m), x) for m, x in zip(MULTIPLIERS, (a, c), strict=True))
        a = builder.xor(builder.xor(builder.lshr(q, half), b), keys[0])
        c = builder.xor(builder.xor(builder.lshr(p, half), d), keys[1])
        b, d = builder.and_(q, low), builder.and_(p, low)
        keys = [
            builder.and_(builder.add(key, splat(more)), low)
            for key, more in zip(keys, INCREMENTS, strict=True)
        ]
    return a, b, c, d


def _kept_or_marked(builder, v, x, kept):
    """Emit and return a vector that holds x where `kept` is 1 (+0 where x is −0), else −0.

    −0 marks numbers that dropout drops. v: a Vectors of x's dtype; x: an LLVM vector; kept: an LLVM
    vector of bits, one a lane.
    """
    kind = ir.VectorType(ir.IntType(8 * v.itemsize), v.lanes)
    sign, zero = (ir.Constant(kind, [n] * v.lanes) for n in (1 << (8 * v.itemsize - 1), 0))
    bits = builder.bitcast(x, kind)
    bits = builder.select(builder.icmp_unsigned("==", bits, sign), zero, bits)
    return builder.bitcast(builder.select(kept, bits, sign), v.type)


class Draw(NamedTuple):
    """What the random integers of four units depend on, besides the example's number."""

    group: int  # index of the first of the four units, divided by 4
    epoch: int  # the epoch, counted from 0
    seed: int  # the user's seed, the first integer of Philox's key
    key: int  # the second integer of the key: DROPOUT_KEY or-ed with the index of the layer


@intrinsic
def _drop(typingctx, X, A, numbers, n, units, draw, bound, scale):
    """A[i, j] = scale · X[i, j] if the random integer of unit i, example j is ≥ bound, else −0.

    i < units ≤ 4, j < n ≤ lanes of a vector register. X, A (units, n): each a Matrix, A written; a
    product −0 becomes +0. numbers (n,): the examples', in the whole data; draw: a Draw; bound: an
    int64 from 0 to 2³², compared with integers of 32 bits; scale: a float64.
    """
    signature = void(X, A, numbers, index, index, draw, index, types.float64)

    def codegen(context, builder, sig, args):
        matrix, out, rows, n, units, draw_value, bound, scale = args
        x, a = emit_record(builder, X, matrix), emit_record(builder, A, out)
        drawn = emit_record(builder, draw, draw_value)
        v = Vectors(context, builder, A.types[0].dtype)
        source = element_pointer(context, builder, X.types[0], x.data, x.offset)
        target = element_pointer(context, builder, A.types[0], a.data, a.offset)
        mask = v.mask(builder.trunc(n, INT32))
        first = element_pointer(context, builder, numbers, rows, index_constant(0))
        row = v.load_indices(first, mask)
        half, low = (ir.Constant(row.type, [value] * v.lanes) for value in (32, 2**32 - 1))
        group, epoch, seed, key = map(v.splat, drawn)
        counter = group, builder.and_(row, low), builder.and_(epoch, low), builder.lshr(row, half)
        words = _rounds(builder, counter, [builder.and_(part, low) for part in (seed, key)])
        bound, scale = v.splat(bound), v.splat(v.from_float64(scale))
        for i, word in enumerate(words):
            with builder.if_then(builder.icmp_signed("<", index_constant(i), units)):
                before = v.load_masked(source, builder.mul(x.ld, index_constant(i)), mask)
                kept = builder.icmp_unsigned(">=", word, bound)
                after = _kept_or_marked(builder, v, builder.fmul(before, scale), kept)
                v.store_masked(after, target, builder.mul(a.ld, index_constant(i)), mask)
        return context.get_dummy_value()

    return signature, codegen


@indirect("F2 F2 I1 i i f i i i", requires="dropout in training", entrance=True)
def drop_units(X, A, numbers, k0, k1, rate, seed, layer, epoch):
    """A[k, j] = X[k, j] / (1 − rate) if the random integer of unit k, example j is ≥ rate · 2³².

    Else A[k, j] = −0, by which `drop_back` knows the dropped numbers; a kept number is never −0.
    k0 ≤ k < k1, j < m; k0 must be a multiple of 4, since Philox returns four integers. X, A
    (n, ld): A out, may be X itself; numbers (m,): the examples', in the whole data; layer: index of
    the layer among the layers that draw random numbers; epoch: counted from 0.
    """
    bound, key, scale = np.int64(rate * 2.0**32), DROPOUT_KEY | layer, 1 / (1 - rate)
    ldx, lda, step, m = X.shape[1], A.shape[1], lane_count(A), numbers.size
    for k in range(k0, k1, 4):
        for j in range(0, m, step):
            n = min(step, m - j)
            _drop(
                Matrix(X, k * ldx + j, ldx), Matrix(A, k * lda + j, lda), view(numbers, j, n),
                n, min(4, k1 - k), Draw(k // 4, epoch, seed, key), bound, scale,
            )  # fmt: skip


@indirect("F2 F2 F2 i i i f", requires="dropout in training")
def drop_back(A, dA, dX, m, k0, k1, rate):
    """dX[k, j] = dA[k, j] / (1 − rate), or 0 where A[k, j] is −0, for units k0 ≤ k < k1 and j < m.

    A (n, ld): what `drop_units` wrote, in which −0 marks dropped numbers. dA (n, ld); dX (n, ld)
    out. rate: the share of numbers that is dropped; m: examples.
    """
    zero, scale = A.dtype.type(0), A.dtype.type(1 / (1 - rate))
    for k in range(k0, k1):
        a, da, dx = view_row(A, k, 0, m), view_row(dA, k, 0, m), view_row(dX, k, 0, m)
        for j in range(m):
            dx[j] = zero if is_negative_zero(a[j]) else da[j] * scale


@indirect("F2 F2 I1 i i f i i i", requires="noise in training", entrance=True)
def add_noise(X, A, numbers, k0, k1, deviation, seed, layer, epoch):
    """A[k, j] = X[k, j] + deviation · N[k, j] for units k0 ≤ k < k1 and examples j < m.

    N[k, j] are standard normal: by Box and Muller, two random integers give N of units k and k + 1.
    k0 must be a multiple of 4, since Philox returns four integers. X (n, ld); A (n, ld) out;
    numbers (m,): the examples', in the whole data; layer: index of the layer among the
    layers that draw random numbers; epoch: counted from 0.
    """
    number = A.dtype.type
    for k in range(k0, k1, 4):
        for j in range(numbers.size):
            words = _words(k // 4, numbers[j], epoch, seed, NOISE_KEY | layer)
            for lane in range(4):
                if k + lane < k1:
                    first, second = words[lane // 2 * 2], words[lane // 2 * 2 + 1]
                    radius = np.sqrt(-2 * np.log((np.float64(first) + 1) / 2.0**32))
                    angle = 2 * np.pi * np.float64(second) / 2.0**32
                    turn = np.sin(angle) if lane % 2 else np.cos(angle)
                    A[k + lane, j] = number(X[k + lane, j] + deviation * radius * turn)
