# ruff: noqa: N999 - the notebooks import it by this name
"""Small fixed inputs for the exercises of both courses: numbers of our own, in the right shapes.

They come from a private generator: NumPy's global one stays where the notebook has left it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import Array, Parameters
from ._deep_forward import Cache, LinearCache

Rng = np.random.RandomState
Arrays = tuple[NDArray[Any], ...]


def _parameters(rng: Rng, *sizes: int) -> Parameters:
    """W (n, n_prev) and b (n, 1) of each layer, not tiny, so that errors show."""
    parameters: Parameters = {}
    for layer, (n_prev, n) in enumerate(pairwise(sizes), start=1):
        parameters[f"W{layer}"] = rng.randn(n, n_prev)
        parameters[f"b{layer}"] = rng.randn(n, 1)
    return parameters


def _gradients(rng: Rng, parameters: Parameters) -> Parameters:
    """Give a gradient for each parameter, of its shape."""
    return {f"d{key}": rng.randn(*array.shape) for key, array in parameters.items()}


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
    return rng.randn(2, 3), _parameters(rng, 2, 4, 1)


def backward_propagation_test_case() -> tuple[Parameters, Parameters, Array, Array]:
    """Return parameters and a cache of a [2, 4, 1] network, X (2, 3), Y (1, 3)."""
    rng = Rng(13)
    parameters = _parameters(rng, 2, 4, 1)
    Z1, Z2 = rng.randn(4, 3), rng.randn(1, 3)
    cache = {"Z1": Z1, "A1": np.tanh(Z1), "Z2": Z2, "A2": 1 / (1 + np.exp(-Z2))}
    return parameters, cache, rng.randn(2, 3), np.array([[1.0, 0.0, 1.0]])


def nn_model_test_case() -> tuple[Array, Array]:
    """Return X (2, 3) and Y (1, 3)."""
    return Rng(14).randn(2, 3), np.array([[1.0, 0.0, 0.0]])


def predict_test_case() -> tuple[Parameters, Array]:
    """Return the parameters of a [2, 4, 1] network and X (2, 3)."""
    rng = Rng(15)
    return _parameters(rng, 2, 4, 1), rng.randn(2, 3)


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
    return rng.randn(4, 2), _parameters(rng, 4, 3, 1)


def L_model_forward_test_case_2hidden() -> tuple[Array, Parameters]:
    """Return X (5, 4) and the parameters of a [5, 4, 3, 1] network."""
    rng = Rng(24)
    return rng.randn(5, 4), _parameters(rng, 5, 4, 3, 1)


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


def update_parameters_test_case() -> tuple[Parameters, Parameters]:
    """Return parameters and gradients of a [4, 3, 1] network."""
    rng = Rng(28)
    parameters = _parameters(rng, 4, 3, 1)
    return parameters, _gradients(rng, parameters)


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
    return rng.uniform(0.05, 0.95, size=(1, 5)), Y, _parameters(rng, 3, 2, 3, 1)


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
    return rng.randn(3, 5), _parameters(rng, 3, 2, 3, 1)


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
    return rng.randn(4, 3), np.array([1, 1, 0]), _parameters(rng, 4, 5, 3, 1)


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
    parameters = _parameters(rng, 3, 2, 3)
    return parameters, _gradients(rng, parameters), 0.01


def random_mini_batches_test_case() -> tuple[Array, Array, int]:
    """Return X (5, 148), Y (1, 148) and the size of a mini-batch: the last one is smaller."""
    rng = Rng(52)
    return rng.randn(5, 148), (rng.randn(1, 148) < 0.5).astype(np.float64), 64


def initialize_velocity_test_case() -> Parameters:
    """Return the parameters of a [3, 2, 3] network."""
    return _parameters(Rng(53), 3, 2, 3)


def update_parameters_with_momentum_test_case() -> tuple[Parameters, Parameters, Parameters]:
    """Return parameters, gradients and velocities of a [3, 2, 3] network."""
    rng = Rng(54)
    parameters = _parameters(rng, 3, 2, 3)
    return parameters, _gradients(rng, parameters), _gradients(rng, parameters)


def initialize_adam_test_case() -> Parameters:
    """Return the parameters of a [3, 2, 3] network."""
    return _parameters(Rng(55), 3, 2, 3)


def update_parameters_with_adam_test_case() -> tuple[
    Parameters, Parameters, Parameters, Parameters
]:
    """Return parameters, gradients, and averages of gradients and squares, [3, 2, 3]."""
    rng = Rng(56)
    parameters = _parameters(rng, 3, 2, 3)
    v, s = _gradients(rng, parameters), _gradients(rng, parameters)
    squares = {key: np.square(array) for key, array in s.items()}
    return parameters, _gradients(rng, parameters), v, squares


def update_lr_test_case() -> tuple[float, int, float]:
    """Return learning_rate0, epoch_num, decay_rate."""
    return 0.5, 2, 1


def schedule_lr_decay_test_case() -> tuple[float, int, float, int]:
    """Return learning_rate0, epoch_num, decay_rate, time_interval."""
    return 0.5, 250, 0.3, 100
