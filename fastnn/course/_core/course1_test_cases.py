"""Small fixed inputs for the exercises of course 1: numbers of our own, in the right shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, Parameters, get_entry
from .deep_forward import Cache, LinearCache
from .random_arrays import Rng, random_gradients, random_parameters

__all__ = [
    "L_model_backward_test_case",
    "L_model_forward_test_case",
    "L_model_forward_test_case_2hidden",
    "backward_propagation_test_case",
    "compute_cost_test_case",
    "forward_propagation_test_case",
    "initialize_parameters_deep_test_case",
    "initialize_parameters_test_case",
    "initialize_with_zeros_test_case",
    "layer_sizes_test_case",
    "linear_activation_backward_test_case",
    "linear_activation_forward_test_case",
    "linear_backward_test_case",
    "linear_forward_test_case",
    "nn_model_test_case",
    "optimize_test_case",
    "predict_test_case",
    "print_grads",
    "propagate_test_case",
    "update_parameters_test_case",
]


def _layer(rng: Rng, n_prev: int, n: int, m: int) -> Cache:
    """((A_prev, W, b), Z) of a layer, arrays that do not follow from each other."""
    linear = rng.randn(n_prev, m), rng.randn(n, n_prev), rng.randn(n, 1)
    return linear, rng.randn(n, m)


# Logistic regression


def initialize_with_zeros_test_case() -> int:
    """Return dim."""
    return 3


def propagate_test_case() -> tuple[Array, float, Array, Array]:
    """Return w (2, 1), b, X (2, 3), Y (1, 3)."""
    X = np.array([[1.0, -2.0, 0.5], [3.0, 0.5, -1.0]])
    return np.array([[0.5], [-1.0]]), 0.25, X, np.array([[0.0, 1.0, 1.0]])


def optimize_test_case() -> tuple[Array, float, Array, Array]:
    """Return w (2, 1), b, X (2, 3), Y (1, 3)."""
    return propagate_test_case()


# One hidden layer


def layer_sizes_test_case() -> tuple[Array, Array]:
    """Return X (5, 3) and Y (2, 3)."""
    rng = Rng(11)
    return rng.randn(5, 3), rng.randn(2, 3)


def initialize_parameters_test_case() -> tuple[int, int, int]:
    """Return n_x, n_h, n_y."""
    return 2, 4, 1


def forward_propagation_test_case() -> tuple[Array, Parameters]:
    """Return X (2, 3) and the parameters of a [2, 4, 1] network."""
    rng = Rng(12)
    return rng.randn(2, 3), random_parameters(rng, 2, 4, 1)


def backward_propagation_test_case() -> tuple[Parameters, Parameters, Array, Array]:
    """Return parameters and a cache of a [2, 4, 1] network, X (2, 3), Y (1, 3)."""
    rng = Rng(13)
    parameters = random_parameters(rng, 2, 4, 1)
    Z1, Z2 = rng.randn(4, 3), rng.randn(1, 3)
    cache = {"Z1": Z1, "A1": np.tanh(Z1), "Z2": Z2, "A2": 1 / (1 + np.exp(-Z2))}
    return parameters, cache, rng.randn(2, 3), np.array([[1.0, 0.0, 1.0]])


def nn_model_test_case() -> tuple[Array, Array]:
    """Return X (2, 3) and Y (1, 3)."""
    return Rng(14).randn(2, 3), np.array([[1.0, 0.0, 0.0]])


def predict_test_case() -> tuple[Parameters, Array]:
    """Return the parameters of a [2, 4, 1] network and X (2, 3)."""
    rng = Rng(15)
    return random_parameters(rng, 2, 4, 1), rng.randn(2, 3)


# Deep networks


def initialize_parameters_deep_test_case() -> list[int]:
    """Return layer_dims."""
    return [5, 4, 3]


def linear_forward_test_case() -> tuple[Array, Array, Array]:
    """Return A (3, 2), W (1, 3), b (1, 1)."""
    rng = Rng(21)
    return rng.randn(3, 2), rng.randn(1, 3), rng.randn(1, 1)


def linear_activation_forward_test_case() -> tuple[Array, Array, Array]:
    """Return A_prev (3, 2), W (1, 3), b (1, 1)."""
    rng = Rng(22)
    return rng.randn(3, 2), rng.randn(1, 3), rng.randn(1, 1)


def L_model_forward_test_case() -> tuple[Array, Parameters]:
    """Return X (4, 2) and the parameters of a [4, 3, 1] network."""
    rng = Rng(23)
    return rng.randn(4, 2), random_parameters(rng, 4, 3, 1)


def L_model_forward_test_case_2hidden() -> tuple[Array, Parameters]:
    """Return X (5, 4) and the parameters of a [5, 4, 3, 1] network."""
    rng = Rng(24)
    return rng.randn(5, 4), random_parameters(rng, 5, 4, 3, 1)


def compute_cost_test_case() -> tuple[Array, Array]:
    """Return Y and AL (1, 3), in this order, as the deep notebook unpacks them."""
    return np.array([[0.0, 1.0, 1.0]]), np.array([[0.25, 0.75, 0.5]])


def linear_backward_test_case() -> tuple[Array, LinearCache]:
    """Return dZ (3, 4) and (A_prev (5, 4), W (3, 5), b (3, 1))."""
    rng = Rng(25)
    return rng.randn(3, 4), _layer(rng, 5, 3, 4)[0]


def linear_activation_backward_test_case() -> tuple[Array, Cache]:
    """Return dA (1, 2) and ((A_prev (3, 2), W (1, 3), b (1, 1)), Z (1, 2))."""
    rng = Rng(26)
    return rng.randn(1, 2), _layer(rng, 3, 1, 2)


def L_model_backward_test_case() -> tuple[Array, Array, list[Cache]]:
    """Return AL (1, 2), Y (1, 2) and the caches of a [4, 3, 1] network."""
    rng = Rng(27)
    AL = rng.uniform(0.1, 0.9, size=(1, 2))
    return AL, np.array([[1.0, 0.0]]), [_layer(rng, 4, 3, 2), _layer(rng, 3, 1, 2)]


def print_grads(grads: Mapping[str, ArrayLike]) -> None:
    """Print dW1, db1 and dA1, the gradient by the activations of the first layer.

    The notebooks of 2017 count activations one further: where a dict has no dA0, dA2 is meant.
    """
    for name in ("dW1", "db1"):
        print(f"{name} = {get_entry('grads', grads, name)}")
    print(f"dA1 = {get_entry('grads', grads, 'dA1' if 'dA0' in grads else 'dA2')}")


def update_parameters_test_case() -> tuple[Parameters, Parameters]:
    """Return parameters and gradients of a [4, 3, 1] network."""
    rng = Rng(28)
    parameters = random_parameters(rng, 4, 3, 1)
    return parameters, random_gradients(rng, parameters)
