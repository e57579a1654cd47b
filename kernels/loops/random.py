"""Counter-based random numbers: shuffles, dropout masks and noise as pure functions."""

from __future__ import annotations

import math

from ..opcodes import MAX_WHOLE_SHUFFLE, SHUFFLE_PIECE, SHUFFLE_WINDOW, Purpose


def philox(counter, key):
    """Return four random 32-bit words, a pure function of counter (4 words) and key (2 words).

    Philox-4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011.
    """
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k0, q & 0xFFFFFFFF, (p >> 32) ^ d ^ k1, p & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch).

    Of more than MAX_WHOLE_SHUFFLE rows that is one of pieces of SHUFFLE_PIECE rows, and then one of
    the rows in each window of up to SHUFFLE_WINDOW pieces. Windows have about as many pieces; the
    last one takes the rows that fill no piece, too.
    """
    m = len(order)
    if m <= MAX_WHOLE_SHUFFLE:
        order[:] = _permuted(range(m), seed, epoch, 0)
        return
    pieces = _permuted(range(m // SHUFFLE_PIECE), seed, epoch, 0)
    rows = [piece * SHUFFLE_PIECE + k for piece in pieces for k in range(SHUFFLE_PIECE)]
    rows += range(len(rows), m)
    windows = -(-len(pieces) // SHUFFLE_WINDOW)
    bounds = [len(pieces) * k // windows * SHUFFLE_PIECE for k in range(windows)] + [m]
    for k in range(windows):
        first, end = bounds[k : k + 2]
        order[first:end] = _permuted(rows[first:end], seed, epoch, 1 + k)


def _permuted(rows, seed, epoch, number):
    """Return rows in the order of a permutation, one of several of (seed, epoch) by its number.

    Fisher and Yates from the end; word w of position i picks j = ⌊w (i+1) / 2³²⌋, whose bias is
    below (i+1) / 2³².
    """
    order = list(rows)
    for i in range(len(order) - 1, 0, -1):
        word = philox((i // 4, epoch, number, 0), (seed, Purpose.SHUFFLE << 16))[i % 4]
        j = word * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def _words(group, row, epoch, seed, purpose, layer):
    """Four words for the units 4·group … of an example, by its row in X."""
    counter = (group, row & 0xFFFFFFFF, epoch, row >> 32)
    return philox(counter, (seed, purpose << 16 | layer))


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A = X / (1 − rate) where the unit's word is at least rate · 2³², else 0.

    A (m, n) out; X (m, n); rows (m,): the examples' rows in the whole X. The same units fall for
    the same (seed, layer, epoch, row), whatever the batch. Inverted dropout, as in the course.
    """
    bound, scale = int(rate * 2**32), 1 / (1 - rate)
    for i in range(X.shape[0]):
        for k in range(X.shape[1]):
            word = _words(k // 4, int(rows[i]), epoch, seed, Purpose.DROPOUT, layer)[k % 4]
            A[i, k] = float(X[i, k]) * scale if word >= bound else 0.0


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A = X + deviation · normal numbers, by Box and Muller from pairs of words.

    A (m, n) out; X (m, n); rows (m,): the examples' rows in the whole X.
    """
    for i in range(X.shape[0]):
        for k in range(X.shape[1]):
            words = _words(k // 4, int(rows[i]), epoch, seed, Purpose.NOISE, layer)
            first, second = words[k % 4 // 2 * 2 : k % 4 // 2 * 2 + 2]
            radius = math.sqrt(-2 * math.log((first + 1) / 2**32))
            angle = 2 * math.pi * second / 2**32
            turn = math.sin(angle) if k % 2 else math.cos(angle)
            A[i, k] = float(X[i, k]) + deviation * radius * turn
