"""Counter-based random numbers, Philox-4x32-10: pure functions of a key and a counter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ...opcodes import Purpose
from ..codegen.float_bits import is_negative_zero
from ..codegen.pointers import view, view_row
from ..codegen.simd import INT32, Vectors, element_pointer, emit_record, index, index_constant, void
from ..compiler.dispatch_table import indirect
from ..compiler.jit import inlined
from ..gemm.packing import lane_count
from ..records import Matrix

SHUFFLE_KEY = int(Purpose.SHUFFLE) << 16
DROPOUT_KEY, NOISE_KEY = int(Purpose.DROPOUT) << 16, int(Purpose.NOISE) << 16


MULTIPLIERS, INCREMENTS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)


@inlined
def philox_words(c0, c1, c2, c3, k0, k1):
    """Return four random 32-bit words, as uint64, of a counter of four words and a key of two."""
    a, b, c, d = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0, k1 = np.uint64(k0), np.uint64(k1)
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (q >> half) ^ b ^ k0, q & mask, (p >> half) ^ d ^ k1, p & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return a, b, c, d


@inlined
def _words(group, row, epoch, seed, key):
    """Return four words for the units 4·group … 4·group+3 of an example, by its row in X."""
    return philox_words(group, row & 0xFFFFFFFF, epoch, row >> 32, seed, key)


@indirect("I1 i i", requires="shuffle")
def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch)."""
    m = order.size
    for i in range(m):
        order[i] = i
    for group in range((m - 1) // 4, -1, -1):
        words = philox_words(group, epoch, 0, 0, seed, SHUFFLE_KEY)
        for lane in range(3, -1, -1):
            i = 4 * group + lane
            if 0 < i < m:
                j = np.int64(words[lane] * np.uint64(i + 1) >> np.uint64(32))
                order[i], order[j] = order[j], order[i]


def _rounds(builder, counter, keys):
    """Emit ten rounds on a counter of four vectors of 32-bit words, in 64 bits each; keys: two."""
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
    """Return x with +0 for −0 where it is kept, else −0, which marks what is dropped."""
    kind = ir.VectorType(ir.IntType(8 * v.itemsize), v.lanes)
    sign, zero = (ir.Constant(kind, [n] * v.lanes) for n in (1 << (8 * v.itemsize - 1), 0))
    bits = builder.bitcast(x, kind)
    bits = builder.select(builder.icmp_unsigned("==", bits, sign), zero, bits)
    return builder.bitcast(builder.select(kept, bits, sign), v.type)


class Draw(NamedTuple):
    """What the random words of four units of a layer depend on, beside the example's row in X."""

    group: int  # index of the first unit, divided by 4
    epoch: int
    seed: int
    key: int  # of the purpose and the layer


@intrinsic
def _drop(typingctx, X, A, row_indices, n, units, draw, bound, scale):
    """A[i, j] = scale X[i, j] where the word of unit i, example j reaches bound, else −0.

    X, A: a Matrix each; i < units ≤ 4; j < n, at most a vector of examples; row_indices (n,).
    """
    signature = void(X, A, row_indices, index, index, draw, index, types.float64)

    def codegen(context, builder, sig, args):
        matrix, out, rows, n, units, draw_value, bound, scale = args
        x, a = emit_record(builder, X, matrix), emit_record(builder, A, out)
        drawn = emit_record(builder, draw, draw_value)
        v = Vectors(context, builder, A.types[0].dtype)
        source = element_pointer(context, builder, X.types[0], x.data, x.offset)
        target = element_pointer(context, builder, A.types[0], a.data, a.offset)
        mask = v.mask(builder.trunc(n, INT32))
        first = element_pointer(context, builder, row_indices, rows, index_constant(0))
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


@indirect("F2 F2 I1 i i f i i i", requires="dropout in training")
def drop_units(X, A, row_indices, k0, k1, rate, seed, layer, epoch):
    """A[k0:k1] = X / (1 − rate) where the unit's word is at least rate · 2³², else −0.

    X, A (n, ld), which may be the same; row_indices (m,); k0 is a multiple of 4, for words come in
    fours. No number that is kept becomes −0, so that `drop_back` need not draw the words again.
    """
    bound, key, scale = np.int64(rate * 2.0**32), DROPOUT_KEY | layer, 1 / (1 - rate)
    ldx, lda, step, m = X.shape[1], A.shape[1], lane_count(A), row_indices.size
    for k in range(k0, k1, 4):
        for j in range(0, m, step):
            n = min(step, m - j)
            _drop(
                Matrix(X, k * ldx + j, ldx), Matrix(A, k * lda + j, lda), view(row_indices, j, n),
                n, min(4, k1 - k), Draw(k // 4, epoch, seed, key), bound, scale,
            )  # fmt: skip


@indirect("F2 F2 F2 i i i f", requires="dropout in training")
def drop_back(A, D, dA, m, k0, k1, rate):
    """dA[k0:k1, :m] = D / (1 − rate) where `drop_units` kept A, else 0.   A, D, dA (n, ld)."""
    zero, scale = A.dtype.type(0), A.dtype.type(1 / (1 - rate))
    for k in range(k0, k1):
        a, d, da = view_row(A, k, 0, m), view_row(D, k, 0, m), view_row(dA, k, 0, m)
        for j in range(m):
            da[j] = zero if is_negative_zero(a[j]) else d[j] * scale


@indirect("F2 F2 I1 i i f i i i", requires="noise in training")
def add_noise(X, A, row_indices, k0, k1, deviation, seed, layer, epoch):
    """A[k0:k1] = X + deviation · N(0, 1), by Box and Muller from pairs of words.   X, A (n, ld)."""
    number = A.dtype.type
    for k in range(k0, k1, 4):
        for j in range(row_indices.size):
            words = _words(k // 4, row_indices[j], epoch, seed, NOISE_KEY | layer)
            for lane in range(4):
                if k + lane < k1:
                    first, second = words[lane // 2 * 2], words[lane // 2 * 2 + 1]
                    radius = np.sqrt(-2 * np.log((np.float64(first) + 1) / 2.0**32))
                    angle = 2 * np.pi * np.float64(second) / 2.0**32
                    turn = np.sin(angle) if lane % 2 else np.cos(angle)
                    A[k + lane, j] = number(X[k + lane, j] + deviation * radius * turn)
