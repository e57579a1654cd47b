"""Three ways to begin, zeros, large random numbers and He's, and a model to compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ._core.arrays import Parameters
from ._core.checks import check_one_of
from ._core.cost_printing import print_cost_after
from ._core.initial_parameters import check_layer_dims, draw_parameters
from ._core.layers import quiet
from ._core.parameter_vector import FlatParameters
from ._core.relu_net import as_examples, backward, forward, mean_loss

__all__ = [
    "initialize_parameters_he",
    "initialize_parameters_random",
    "initialize_parameters_zeros",
    "model",
]

#: The factor of the notebook's badly scaled weights.
LARGE = 10.0
HIDDEN = (10, 5)


def initialize_parameters_zeros(layers_dims: Sequence[int], seed: int | None = 3) -> Parameters:
    """Set all weights and biases to zero: every unit of a layer then stays like every other.

    Parameters
    ----------
    layers_dims : sequence of int
        Sizes of the layers, the number of inputs first.
    seed : int or None
        Not used, as nothing is drawn; taken so that all three are called alike.

    Returns
    -------
    dict
        Wl (n_l, n_{l−1}) and bl (n_l, 1) of each layer.

    Raises
    ------
    SettingError
        If a size is not a whole number from 1 on.
    """
    sizes = check_layer_dims(layers_dims)
    parameters: Parameters = {}
    for layer in range(1, len(sizes)):
        parameters[f"W{layer}"] = np.zeros((sizes[layer], sizes[layer - 1]))
        parameters[f"b{layer}"] = np.zeros((sizes[layer], 1))
    return parameters


def initialize_parameters_random(layers_dims: Sequence[int], seed: int | None = 3) -> Parameters:
    """Draw normal weights times 10, far too large, and set the biases to zero.

    Parameters
    ----------
    layers_dims : sequence of int
        Sizes of the layers, the number of inputs first.
    seed : int or None
        Seed of NumPy's global generator; None draws on.

    Returns
    -------
    dict
        Wl (n_l, n_{l−1}) and bl (n_l, 1) of each layer.

    Raises
    ------
    SettingError
        If a size is not a whole number from 1 on.
    """
    return draw_parameters(layers_dims, seed=seed, scale=LARGE)


def initialize_parameters_he(layers_dims: Sequence[int], seed: int | None = 3) -> Parameters:
    """Draw normal weights times √(2 / inputs of the layer), and set the biases to zero.

    Parameters
    ----------
    layers_dims : sequence of int
        Sizes of the layers, the number of inputs first.
    seed : int or None
        Seed of NumPy's global generator; None draws on.

    Returns
    -------
    dict
        Wl (n_l, n_{l−1}) and bl (n_l, 1) of each layer.

    Raises
    ------
    SettingError
        If a size is not a whole number from 1 on.
    """
    parameters = draw_parameters(layers_dims, seed=seed, scale=1.0)
    for key, array in parameters.items():
        if key[0] == "W":
            array *= np.sqrt(2 / array.shape[1])
    return parameters


WAYS: dict[str, Callable[[Sequence[int]], Parameters]] = {
    "zeros": initialize_parameters_zeros,
    "random": initialize_parameters_random,
    "he": initialize_parameters_he,
}


@quiet
def model(
    X: ArrayLike,
    Y: ArrayLike,
    learning_rate: float = 0.01,
    num_iterations: int = 15000,
    print_cost: bool = True,
    initialization: str = "he",
) -> Parameters:
    """Train a network [n_x, 10, 5, 1] of relu, relu, sigmoid by gradient descent.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (1, m)
        Labels.
    learning_rate : float
        α.
    num_iterations : int
        Steps to take.
    print_cost : bool
        Print the cost every 1000 steps.
    initialization : {"he", "random", "zeros"}
        How to begin.

    Returns
    -------
    dict
        W1, b1, W2, b2, W3, b3.

    Raises
    ------
    ShapeError
        If Y does not hold one label for each column of X.
    SettingError
        If there is no such initialisation.
    """
    X, Y = as_examples(X, Y)
    check_one_of("initialization", initialization, WAYS)
    net = FlatParameters(WAYS[initialization]([len(X), *HIDDEN, 1]))
    weights = [W for W, _ in net.layers]
    for i in range(num_iterations):
        A = forward(X, net.layers)[1]
        if print_cost and i % 1000 == 0:
            print_cost_after(i, mean_loss(A[-1], Y), digits=None)
        net.step(net.gradient(backward(A, weights, A[-1] - Y)), learning_rate)
    return net.result()
