"""Small fixed inputs for the exercises of course 2: numbers of our own, in the right shapes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, Parameters
from .random_arrays import Rng, random_gradients, random_parameters

__all__ = [
    "backward_propagation_n_test_case",
    "backward_propagation_with_dropout_test_case",
    "backward_propagation_with_regularization_test_case",
    "compute_cost_with_regularization_test_case",
    "forward_propagation_n_test_case",
    "forward_propagation_with_dropout_test_case",
    "gradient_check_n_test_case",
    "gradient_check_test_case",
    "initialize_adam_test_case",
    "initialize_parameters_he_test_case",
    "initialize_parameters_random_test_case",
    "initialize_parameters_zeros_test_case",
    "initialize_velocity_test_case",
    "random_mini_batches_test_case",
    "schedule_lr_decay_test_case",
    "update_lr_test_case",
    "update_parameters_with_adam_test_case",
    "update_parameters_with_gd_test_case",
    "update_parameters_with_momentum_test_case",
]

Arrays = tuple[NDArray[Any], ...]


# Initialisation


def initialize_parameters_zeros_test_case() -> list[int]:
    """Return layers_dims."""
    return [3, 2, 1]


def initialize_parameters_random_test_case() -> list[int]:
    """Return layers_dims."""
    return [3, 2, 1]


def initialize_parameters_he_test_case() -> list[int]:
    """Return layers_dims."""
    return [2, 4, 1]


# Regularisation


def compute_cost_with_regularization_test_case() -> tuple[Array, Array, Parameters]:
    """Return A3 (1, 5), Y (1, 5) and the parameters of a [3, 2, 3, 1] network."""
    rng = Rng(31)
    Y = np.array([[1.0, 1.0, 0.0, 1.0, 0.0]])
    return rng.uniform(0.05, 0.95, size=(1, 5)), Y, random_parameters(rng, 3, 2, 3, 1)


def _cache(rng: Rng, m: int, *sizes: int, dropout: bool = False) -> Arrays:
    """Z, (D,) A, W, b of each layer in turn, arrays that do not follow from each other."""
    cache: list[NDArray[Any]] = []
    for layer, (n_prev, n) in enumerate(pairwise(sizes), start=1):
        last = layer == len(sizes) - 1
        Z = rng.randn(n, m)
        D = [rng.rand(n, m) < 0.6] if dropout and not last else []
        A = rng.uniform(0.05, 0.95, size=(n, m)) if last else np.maximum(0, rng.randn(n, m))
        cache += [Z, *D, A, rng.randn(n, n_prev), rng.randn(n, 1)]
    return tuple(cache)


def backward_propagation_with_regularization_test_case() -> tuple[Array, Array, Arrays]:
    """Return X (3, 5), Y (1, 5) and the twelve arrays of a [3, 2, 3, 1] network."""
    rng = Rng(32)
    return rng.randn(3, 5), np.array([[1.0, 1.0, 0.0, 1.0, 0.0]]), _cache(rng, 5, 3, 2, 3, 1)


def forward_propagation_with_dropout_test_case() -> tuple[Array, Parameters]:
    """Return X (3, 5) and the parameters of a [3, 2, 3, 1] network."""
    rng = Rng(33)
    return rng.randn(3, 5), random_parameters(rng, 3, 2, 3, 1)


def backward_propagation_with_dropout_test_case() -> tuple[Array, Array, Arrays]:
    """Return X (3, 5), Y (1, 5) and the fourteen arrays of a [3, 2, 3, 1] network."""
    rng = Rng(34)
    cache = _cache(rng, 5, 3, 2, 3, 1, dropout=True)
    return rng.randn(3, 5), np.array([[1.0, 1.0, 0.0, 1.0, 0.0]]), cache


# Gradient checking


def gradient_check_test_case() -> tuple[int, int]:
    """Return x and theta, for all three exercises in one dimension."""
    return 2, 4


def gradient_check_n_test_case() -> tuple[Array, Array, Parameters]:
    """Return X (4, 3), Y (3,) and the parameters of a [4, 5, 3, 1] network, all from the seed 1."""
    rng = Rng(1)
    return rng.randn(4, 3), np.array([1, 1, 0]), random_parameters(rng, 4, 5, 3, 1)


def forward_propagation_n_test_case() -> tuple[Array, Array, Parameters]:
    """Return X (4, 3), Y (3,) and the parameters of a [4, 5, 3, 1] network."""
    return gradient_check_n_test_case()


def backward_propagation_n_test_case() -> tuple[Array, Array, Arrays]:
    """Return X (4, 3), Y (3,) and the twelve arrays of a [4, 5, 3, 1] network."""
    rng = Rng(41)
    return rng.randn(4, 3), np.array([1, 1, 0]), _cache(rng, 3, 4, 5, 3, 1)


# Optimisation


def update_parameters_with_gd_test_case() -> tuple[Parameters, Parameters, float]:
    """Return parameters and gradients of a [3, 2, 3] network and a learning rate."""
    rng = Rng(51)
    parameters = random_parameters(rng, 3, 2, 3)
    return parameters, random_gradients(rng, parameters), 0.01


def random_mini_batches_test_case() -> tuple[Array, Array, int]:
    """Return X (5, 148), Y (1, 148) and the size of a mini-batch: the last one is smaller."""
    rng = Rng(52)
    return rng.randn(5, 148), (rng.randn(1, 148) < 0.5).astype(np.float64), 64


def initialize_velocity_test_case() -> Parameters:
    """Return the parameters of a [3, 2, 3] network."""
    return random_parameters(Rng(53), 3, 2, 3)


def update_parameters_with_momentum_test_case() -> tuple[Parameters, Parameters, Parameters]:
    """Return parameters, gradients and velocities of a [3, 2, 3] network."""
    rng = Rng(54)
    parameters = random_parameters(rng, 3, 2, 3)
    return parameters, random_gradients(rng, parameters), random_gradients(rng, parameters)


def initialize_adam_test_case() -> Parameters:
    """Return the parameters of a [3, 2, 3] network."""
    return random_parameters(Rng(55), 3, 2, 3)


def update_parameters_with_adam_test_case() -> tuple[
    Parameters, Parameters, Parameters, Parameters
]:
    """Return parameters, gradients, and averages of gradients and squares, [3, 2, 3]."""
    rng = Rng(56)
    parameters = random_parameters(rng, 3, 2, 3)
    v, s = random_gradients(rng, parameters), random_gradients(rng, parameters)
    squares = {key: np.square(array) for key, array in s.items()}
    return parameters, random_gradients(rng, parameters), v, squares


def update_lr_test_case() -> tuple[float, int, float]:
    """Return learning_rate0, epoch_num, decay_rate."""
    return 0.5, 2, 1


def schedule_lr_decay_test_case() -> tuple[float, int, float, int]:
    """Return learning_rate0, epoch_num, decay_rate, time_interval."""
    return 0.5, 250, 0.3, 100
