"""Int8 prediction: bytes of numbers, sums of products of bytes, bytes of sums."""

from __future__ import annotations

import numpy as np

from ..int8_model import MAX_BYTE


def quantize(A, scale, zero_point, Q):
    """Q = clip(round(A / scale) + zero_point).   Q (m, n) uint8 out; A (m, n) float32."""
    Q[...] = np.clip(np.rint(A / np.float32(scale)) + zero_point, 0, MAX_BYTE)


def int8_product(Q, W, bias, S):
    """S[i, o] = bias[o] + Σₖ Q[i, k] W[o, k].   S (m, n_out) int32 out; Q (m, n_in); W int8.

    NumPy's product of integers is slow; in float64 all of these sums are exact.
    """
    S[...] = Q.astype(np.float64) @ W.T.astype(np.float64) + bias


def requantize(S, factor, zero_point, Q):
    """Q[i, o] = clip(round(factor[o] S[i, o]) + zero_point).   Q (m, n) uint8 out; S int32."""
    Q[...] = np.clip(np.rint(S.astype(np.float32) * factor) + zero_point, 0, MAX_BYTE)
