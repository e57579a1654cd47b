"""Counter-based random numbers: pure functions of a key and a counter. As in `loops`."""

from __future__ import annotations

import numpy as np

from ..opcodes import Purpose
from ._jit import inlined
from ._link import linked

SHUFFLE_KEY = int(Purpose.SHUFFLE) << 16


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


@linked("I1 i i")
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
