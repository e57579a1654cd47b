"""Int8 prediction: bytes of numbers, sums of products of bytes, bytes of sums."""

from __future__ import annotations

import numpy as np

from ..int8_model import MAX_BYTE


def _byte(value, zero_point):
    """Return clip(round(value) + zero_point) to 0 … 255, ties to even; value a float32."""
    return min(max(round(float(value)) + zero_point, 0), MAX_BYTE)


def quantize(A, scale, zero_point, Q):
    """Q = clip(round(A / scale) + zero_point).   Q (m, n) uint8 out; A (m, n) float32."""
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            Q[i, k] = _byte(A[i, k] / np.float32(scale), zero_point)


def int8_product(Q, W, bias, S):
    """S[i, o] = bias[o] + Σₖ Q[i, k] W[o, k].   S (m, n_out) int32 out; Q (m, n_in); W int8."""
    for i in range(Q.shape[0]):
        for o in range(W.shape[0]):
            total = int(bias[o])
            for k in range(W.shape[1]):
                total += int(Q[i, k]) * int(W[o, k])
            S[i, o] = total


def requantize(S, factor, zero_point, Q):
    """Q[i, o] = clip(round(factor[o] S[i, o]) + zero_point).   Q (m, n) uint8 out; S int32."""
    for i in range(S.shape[0]):
        for o in range(S.shape[1]):
            Q[i, o] = _byte(np.float32(S[i, o]) * factor[o], zero_point)
