"""Offsets of numbers that are scaled once they are summed: what they add to products."""

from __future__ import annotations

from ..compiler.jit import inlined


@inlined
def add_offset(n, K, offset, Y, y, ldy, L, C, c, ldc):
    """C[c + i + o ldc] += offset Σₖ Y[y + o ldy + k], o < n, i < L, k < K."""
    for o in range(n if offset != 0 else 0):
        total = 0.0  # in float64: sums of float32 over 6144 features lost two digits
        for k in range(K):
            total += Y[y + o * ldy + k]
        for i in range(L):
            C[c + i + o * ldc] += Y.dtype.type(offset * total)
