"""Networks that compute the parity of n bits, their weights set by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, Parameters
from .deep_forward import L_model_forward

#: The factor of the last layer: its z is −10 or 10, whose sigmoid is almost 0 or 1.
LOGIT_SCALE = 20.0


def truth_table(n: int) -> tuple[Array, NDArray[np.bool_]]:
    """Return all 2ⁿ words of n bits in columns (n, 2ⁿ), and whether each has an odd sum (1, 2ⁿ)."""
    words = (np.arange(2**n) >> np.arange(n)[:, None]) & 1
    return words.astype(np.float64), words.sum(axis=0, keepdims=True) % 2 == 1


def _named(layers: list[tuple[Array, Array]], values: Array) -> Parameters:
    """Name W and b of the hidden layers and close with σ(20 (values A) − 10).   values (1, n)."""
    parameters: Parameters = {}
    for layer, (W, b) in enumerate(
        [*layers, (LOGIT_SCALE * values, np.array([[-LOGIT_SCALE / 2]]))], start=1
    ):
        parameters[f"W{layer}"], parameters[f"b{layer}"] = W, b
    return parameters


def tree(n: int) -> Parameters:
    """Deep: bits are joined in pairs by u xor v = relu(u + v) − 2 relu(u + v − 1), level by level.

    ⌈log₂ n⌉ hidden layers with 2 units for each of the n − 1 joints, and one to pass an odd bit on.
    """
    values, layers = np.eye(n), []  # values (k, units): k bits as sums of the layer before
    while len(values) > 1:
        k = len(values)
        sums = values[0 : k - 1 : 2] + values[1:k:2]
        W = np.concatenate([sums, sums, values[k - k % 2 :]])
        b = np.zeros((len(W), 1))
        b[len(sums) : 2 * len(sums)] = -1
        layers.append((W, b))
        joints = np.eye(len(sums))
        values = np.zeros((len(sums) + k % 2, len(W)))
        values[: len(sums), : 2 * len(sums)] = np.concatenate([joints, -2 * joints], axis=1)
        values[len(sums) :, 2 * len(sums) :] = 1
    return _named(layers, values)


def detectors(n: int) -> Parameters:
    """Shallow: one hidden unit for each of the 2ⁿ⁻¹ odd words, 1 for that word and 0 else."""
    words, odd = truth_table(n)
    patterns = words[:, odd[0]].T
    W = 2 * patterns - 1
    b = 1 - patterns.sum(axis=1, keepdims=True)
    return _named([(W, b)], np.ones((1, len(W))))


def counters(n: int) -> Parameters:
    """Shallow too, but it adds the bits first: n units relu(Σ x − k) bend a line into a zigzag."""
    slopes = np.where(np.arange(n) % 2 == 0, 2.0, -2.0)
    slopes[0] = 1.0
    return _named([(np.ones((n, n)), -np.arange(n, dtype=np.float64)[:, None])], slopes[None, :])


def hidden_units(parameters: Parameters) -> int:
    """Return the number of units in all layers but the last."""
    L = len(parameters) // 2
    return sum(len(parameters[f"b{layer}"]) for layer in range(1, L))


def is_right(parameters: Parameters, n: int) -> bool:
    """Tell whether the network gives the parity of every one of the 2ⁿ words."""
    words, odd = truth_table(n)
    AL, _ = L_model_forward(words, parameters)
    return bool(np.array_equal(AL > 0.5, odd))
