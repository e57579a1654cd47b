"""Counter-based random numbers: shuffles, dropout masks and noise as pure functions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..opcodes import MAX_WHOLE_SHUFFLE, SHUFFLE_PIECE, SHUFFLE_WINDOW, Purpose


def philox(counter, key):
    """Return the words (4, n) of n counters (4, n) under key (2 words). As in `loops`."""
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    a, b, c, d = np.asarray(counter, dtype=np.uint64)
    k0, k1 = (np.uint64(k) for k in key)
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (q >> half) ^ b ^ k0, q & mask, (p >> half) ^ d ^ k1, p & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return np.stack([a, b, c, d])


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch). As in `loops`."""
    m = len(order)
    if m <= MAX_WHOLE_SHUFFLE:
        order[...] = _permuted(np.arange(m), seed, epoch, 0)
        return
    pieces = _permuted(np.arange(m // SHUFFLE_PIECE), seed, epoch, 0)
    rows = (SHUFFLE_PIECE * pieces[:, None] + np.arange(SHUFFLE_PIECE)).ravel()
    rows = np.concatenate((rows, np.arange(len(rows), m)))
    windows = -(-len(pieces) // SHUFFLE_WINDOW)
    bounds = [len(pieces) * k // windows * SHUFFLE_PIECE for k in range(windows)] + [m]
    for k, (first, end) in enumerate(pairwise(bounds)):
        order[first:end] = _permuted(rows[first:end], seed, epoch, 1 + k)


def _permuted(rows, seed, epoch, number):
    """Return rows (m,) in the order of a permutation of (seed, epoch). As in `loops`."""
    m = len(rows)
    counter = np.zeros((4, (m + 3) // 4), dtype=np.uint64)
    counter[0] = np.arange(counter.shape[1])
    counter[1], counter[2] = epoch, number
    words = philox(counter, (seed, Purpose.SHUFFLE << 16)).T.ravel()[:m]
    picks = (words * np.arange(1, m + 1, dtype=np.uint64) >> np.uint64(32)).tolist()
    places = list(range(m))
    for i in range(m - 1, 0, -1):
        j = picks[i]
        places[i], places[j] = places[j], places[i]
    return rows[places]


def _words(m, n, rows, epoch, seed, purpose, layer):
    """Words (m, n) as floats for n units of m examples, by their rows in X."""
    groups = (n + 3) // 4
    counter = np.empty((4, m * groups), np.uint64)
    counter[0] = np.tile(np.arange(groups), m)
    counter[1] = np.repeat(np.asarray(rows) & 0xFFFFFFFF, groups)
    counter[2] = epoch
    counter[3] = np.repeat(np.asarray(rows) >> 32, groups)
    return philox(counter, (seed, purpose << 16 | layer)).T.reshape(m, 4 * groups)


def dropout(X, rows, rate, seed, layer, epoch, A):
    """A = X / (1 − rate) where the unit's word is at least rate · 2³², else 0. As in `loops`."""
    words = _words(len(X), X.shape[1], rows, epoch, seed, Purpose.DROPOUT, layer)[:, : X.shape[1]]
    A[...] = np.where(words >= np.uint64(rate * 2**32), X * X.dtype.type(1 / (1 - rate)), 0)


def noise(X, rows, deviation, seed, layer, epoch, A):
    """A = X + deviation · normal numbers, by Box and Muller. As in `loops`."""
    words = _words(len(X), X.shape[1], rows, epoch, seed, Purpose.NOISE, layer).astype(np.float64)
    radius = np.sqrt(-2 * np.log((words[:, 0::2] + 1) / 2**32))
    angle = 2 * np.pi * words[:, 1::2] / 2**32
    normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    A[...] = X + deviation * normal.reshape(words.shape)[:, : X.shape[1]]
