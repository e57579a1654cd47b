"""All parameters of a network as one vector, W1, b1, W2, b2, … in turn, each in C order."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .arrays import Array, Parameters
from .layers import descend

Shapes = dict[str, tuple[int, ...]]


def flatten(arrays: Mapping[str, Array], keys: list[str]) -> Array:
    """Return the arrays of these keys one behind another, (p,)."""
    return np.concatenate([arrays[key].reshape(-1) for key in keys])


def split_views(theta: Array, shapes: Shapes) -> Parameters:
    """Return views of theta (p,) in these shapes, one behind another."""
    parts, start = {}, 0
    for key, shape in shapes.items():
        stop = start + math.prod(shape)
        parts[key] = theta[start:stop].reshape(shape)
        start = stop
    return parts


class FlatParameters:
    """Parameters that a model moves: views of one vector, so that a step is one sweep over it."""

    def __init__(self, parameters: Parameters) -> None:
        shapes = {key: array.shape for key, array in parameters.items()}
        self.names = [f"d{key}" for key in parameters]
        self.theta = flatten(parameters, list(parameters))
        self.parameters = split_views(self.theta, shapes)
        self.layers = [
            (self.parameters[f"W{layer}"], self.parameters[f"b{layer}"])
            for layer in range(1, len(parameters) // 2 + 1)
        ]

    def gradient(self, grads: Mapping[str, Array]) -> Array:
        """Return dW1, db1, … as one vector (p,)."""
        return flatten(grads, self.names)

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move all parameters: θ ← θ − α gradient.   gradient (p,)."""
        descend(self.theta, gradient, learning_rate)

    def result(self) -> Parameters:
        """Return W1, b1, … as arrays of their own."""
        return {key: array.copy() for key, array in self.parameters.items()}
