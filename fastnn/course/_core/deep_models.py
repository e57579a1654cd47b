"""The two deep models of the cat notebook: two layers, and any number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import SettingError

from .arrays import Parameters, as_matrix, as_targets, check_shape
from .cost_printing import print_cost_after
from .deep_backward import model_gradients
from .deep_forward import (
    L_model_forward,
    compute_cost,
    initialize_parameters,
    initialize_parameters_deep,
)
from .editions import LATEST, is_older
from .initial_parameters import check_layer_dims
from .layers import accuracy, update_parameters


def two_layer_model(
    X: ArrayLike,
    Y: ArrayLike,
    layers_dims: Sequence[int],
    learning_rate: float = 0.0075,
    num_iterations: int = 3000,
    print_cost: bool = False,
    *,
    edition: int = LATEST,
) -> Any:
    """Train a network of one relu layer and one sigmoid layer, from the seed 1, weights · 0.01.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    layers_dims : (int, int, int)
        n_x, n_h, n_y.
    learning_rate : float
        α.
    num_iterations : int
        Steps to take.
    print_cost : bool
        Print the cost every 100 steps and at the last one.
    edition : int
        2021, or 2017 for the notebooks of 2017 to 2020, whose model returns the parameters alone.

    Returns
    -------
    parameters : dict
        W1 (n_h, n_x), b1 (n_h, 1), W2 (n_y, n_h), b2 (n_y, 1).
    costs : list of ndarray, each of shape ()
        The cost before steps 0, 100, 200, …

    Raises
    ------
    ShapeError
        If X or Y does not fit the sizes.
    SettingError
        If layers_dims is not three whole numbers from 1 on, or there is no such edition.
    """
    older, sizes = is_older(edition), check_layer_dims(layers_dims)
    if len(sizes) != 3:
        raise SettingError(
            f"layers_dims must be (n_x, n_h, n_y), got {len(sizes)} sizes; "
            f"L_layer_model takes any number of layers"
        )
    parameters = initialize_parameters(*sizes)
    trained = _train(X, Y, parameters, learning_rate, num_iterations, print_cost)
    return trained[0] if older else trained


def L_layer_model(
    X: ArrayLike,
    Y: ArrayLike,
    layers_dims: Sequence[int],
    learning_rate: float = 0.0075,
    num_iterations: int = 3000,
    print_cost: bool = False,
    *,
    edition: int = LATEST,
) -> Any:
    """Train relu layers and a last sigmoid layer, from the seed 1, weights over √(inputs).

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    layers_dims : sequence of int
        n_x, the sizes of the hidden layers, n_y.
    learning_rate : float
        α.
    num_iterations : int
        Steps to take.
    print_cost : bool
        Print the cost every 100 steps and at the last one.
    edition : int
        2021, or 2017 for the notebooks of 2017 to 2020, whose model returns the parameters alone.

    Returns
    -------
    parameters : dict
        W1 (n_1, n_x), b1 (n_1, 1), …
    costs : list of ndarray, each of shape ()
        The cost before steps 0, 100, 200, …

    Raises
    ------
    ShapeError
        If X or Y does not fit the sizes.
    SettingError
        If a size is not a whole number from 1 on, or there is no such edition.
    """
    older = is_older(edition)
    parameters = initialize_parameters_deep(layers_dims, seed=1, scale="sqrt")
    trained = _train(X, Y, parameters, learning_rate, num_iterations, print_cost)
    return trained[0] if older else trained


def _train(
    X: ArrayLike,
    Y: ArrayLike,
    parameters: Parameters,
    learning_rate: float,
    num_iterations: int,
    print_cost: bool,
) -> tuple[Parameters, list[NDArray[Any]]]:
    """Descend from the parameters; return the last ones and the cost every 100 steps."""
    X, Y, L = as_matrix("X", X), as_matrix("Y", Y), len(parameters) // 2
    n_x, n_y = parameters["W1"].shape[1], len(parameters[f"W{L}"])
    check_shape("X", X, (n_x, None), "one row for each input of layers_dims")
    check_shape("Y", Y, (n_y, X.shape[1]), f"by layers_dims and the columns of X, {X.shape}")
    costs: list[NDArray[Any]] = []
    for i in range(num_iterations):
        AL, caches = L_model_forward(X, parameters)
        last = i == num_iterations - 1
        if i % 100 == 0 or (last and print_cost):
            cost = compute_cost(AL, Y)
            if i % 100 == 0:
                costs.append(np.array(cost))
            if print_cost:
                print_cost_after(i, cost, digits=None)
        grads = model_gradients(AL, Y, caches, pixels=False)
        parameters = update_parameters(parameters, grads, learning_rate)
    return parameters, costs


def predict(X: ArrayLike, y: ArrayLike, parameters: Mapping[str, ArrayLike]) -> NDArray[np.int64]:
    """Return 1 where the probability is strictly above 0.5, else 0; print the accuracy.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    y : array_like, (1, m)
        Their labels.
    parameters : dict
        W1, b1, …, WL, bL.

    Returns
    -------
    ndarray of int, (1, m)
        Predictions, 0 or 1: ``classes[predictions[0, i]]`` names the class of example i.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    probabilities = L_model_forward(X, parameters)[0]
    rule = f"one label for each prediction, {probabilities.shape}"
    y = as_targets("y", y, probabilities, rule)
    predictions = (probabilities > 0.5).astype(np.int64)
    print(f"Accuracy: {accuracy(predictions, y)}")
    return predictions
