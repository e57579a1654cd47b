"""Counter-based random numbers: pure functions of a key and a counter. As in `loops`."""

from __future__ import annotations

import numpy as np

from ..opcodes import Purpose
from ._floats import kept_or_marked, marked
from ._jit import inlined
from ._link import linked
from .memory import row

SHUFFLE_KEY = int(Purpose.SHUFFLE) << 16
DROPOUT_KEY, NOISE_KEY = int(Purpose.DROPOUT) << 16, int(Purpose.NOISE) << 16


@inlined
def philox(c0, c1, c2, c3, k0, k1):
    """Return four random 32-bit words (as uint64) of a counter and a key: Philox-4x32-10."""
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
    """Four words for the units 4·group … of an example, by its row in X."""
    return philox(group, row & 0xFFFFFFFF, epoch, row >> 32, seed, key)


@linked("I1 i i", when="shuffle")
def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch)."""
    m = order.size
    for i in range(m):
        order[i] = i
    for group in range((m - 1) // 4, -1, -1):
        words = philox(group, epoch, 0, 0, seed, SHUFFLE_KEY)
        for lane in range(3, -1, -1):
            i = 4 * group + lane
            if 0 < i < m:
                j = np.int64(words[lane] * np.uint64(i + 1) >> np.uint64(32))
                order[i], order[j] = order[j], order[i]


@linked("F2 F2 I1 i i f i i i", when="dropout")
def dropout(X, A, rows, k0, k1, rate, seed, layer, epoch):
    """A[k0:k1] = X / (1 − rate) where the unit's word is at least rate · 2³², else −0.

    X, A (n, ·), which may be the same; rows (m,); k0 is a multiple of 4: words come in fours. No
    number that is kept becomes −0, so that `drop_back` need not draw the words again.
    """
    bound = np.uint64(rate * 2.0**32)
    scale = A.dtype.type(1 / (1 - rate))
    for k in range(k0, k1, 4):
        for j in range(rows.size):
            words = _words(k // 4, rows[j], epoch, seed, DROPOUT_KEY | layer)
            for lane in range(4):
                if k + lane < k1:
                    kept = words[lane] >= bound
                    A[k + lane, j] = kept_or_marked(X[k + lane, j] * scale, kept)


@linked("F2 F2 F2 i i i f", when="dropout")
def drop_back(A, D, dA, m, k0, k1, rate):
    """dA[k0:k1, :m] = D / (1 − rate) where `dropout` kept A, else 0.   All (n, ·)."""
    zero, scale = A.dtype.type(0), A.dtype.type(1 / (1 - rate))
    for k in range(k0, k1):
        a, d, da = row(A, k, 0, m), row(D, k, 0, m), row(dA, k, 0, m)
        for j in range(m):
            da[j] = zero if marked(a[j]) else d[j] * scale


@linked("F2 F2 I1 i i f i i i", when="noise")
def noise(X, A, rows, k0, k1, deviation, seed, layer, epoch):
    """A[k0:k1] = X + deviation · normal numbers, by Box and Muller from pairs of words."""
    number = A.dtype.type
    for k in range(k0, k1, 4):
        for j in range(rows.size):
            words = _words(k // 4, rows[j], epoch, seed, NOISE_KEY | layer)
            for lane in range(4):
                if k + lane < k1:
                    first, second = words[lane // 2 * 2], words[lane // 2 * 2 + 1]
                    radius = np.sqrt(-2 * np.log((np.float64(first) + 1) / 2.0**32))
                    angle = 2 * np.pi * np.float64(second) / 2.0**32
                    turn = np.sin(angle) if lane % 2 else np.cos(angle)
                    A[k + lane, j] = number(X[k + lane, j] + deviation * radius * turn)
