"""A network of one hidden layer: tanh units, then one sigmoid for each output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core import layers
from ._core.arrays import (
    Array,
    Parameters,
    as_matrix,
    as_outputs,
    as_targets,
    check_shape,
    get_entry,
    layer_parameters,
)
from ._core.cost_printing import print_cost_after
from ._core.editions import LATEST, is_older
from ._core.initial_parameters import draw_parameters

__all__ = [
    "backward_propagation",
    "compute_cost",
    "forward_propagation",
    "initialize_parameters",
    "layer_sizes",
    "nn_model",
    "predict",
    "update_parameters",
]

#: Units of the hidden layer in the notebook.
HIDDEN = 4


def layer_sizes(X: ArrayLike, Y: ArrayLike) -> tuple[int, int, int]:
    """Return the sizes of the layers: the rows of X, 4 hidden units, the rows of Y.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.

    Returns
    -------
    tuple of int
        n_x, n_h = 4, n_y.
    """
    return as_matrix("X", X).shape[0], HIDDEN, as_matrix("Y", Y).shape[0]


def initialize_parameters(n_x: int, n_h: int, n_y: int, seed: int | None = 2) -> Parameters:
    """Draw W1 and W2, normal times 0.01, and set b1 and b2 to zero.

    Parameters
    ----------
    n_x, n_h, n_y : int
        Sizes of the input, the hidden and the output layer.
    seed : int or None
        Seed of NumPy's global generator; None draws on.

    Returns
    -------
    dict
        W1 (n_h, n_x), b1 (n_h, 1), W2 (n_y, n_h), b2 (n_y, 1).

    Raises
    ------
    SettingError
        If a size is not a whole number from 1 on.
    """
    return draw_parameters([n_x, n_h, n_y], seed=seed, scale=0.01)


def forward_propagation(
    X: ArrayLike, parameters: Mapping[str, ArrayLike]
) -> tuple[Array, dict[str, Array]]:
    """Return A2 = σ(W2 tanh(W1 X + b1) + b2) and what stands between.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    parameters : dict
        W1 (n_h, n_x), b1 (n_h, 1), W2 (n_y, n_h), b2 (n_y, 1).

    Returns
    -------
    A2 : ndarray, (n_y, m)
        Probabilities.
    cache : dict
        Z1, A1 (n_h, m) and Z2, A2 (n_y, m).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    X = as_matrix("X", X)
    (W1, b1), (W2, b2) = layer_parameters(parameters, 1), layer_parameters(parameters, 2)
    check_shape("X", X, (W1.shape[1], None), f"one row for each column of W1, {W1.shape}")
    check_shape("W2", W2, (None, len(W1)), f"one column for each row of W1, {W1.shape}")
    Z1 = layers.linear(X, W1, b1)
    A1 = layers.activate("tanh", Z1)
    Z2 = layers.linear(A1, W2, b2)
    A2 = layers.activate("sigmoid", Z2)
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}


def compute_cost(A2: ArrayLike, Y: ArrayLike, parameters: Any = None) -> float:
    """Return −1/m Σ (y log a + (1−y) log(1−a)).

    Parameters
    ----------
    A2 : array_like, (n_y, m)
        Probabilities; of a single output also (m,).
    Y : array_like, (n_y, m)
        Labels; of a single output also (m,).
    parameters : dict, optional
        Not used; older editions of the notebook pass it.

    Returns
    -------
    float
        The cost; inf or nan where a probability is 0 or 1.

    Raises
    ------
    ShapeError
        If A2 and Y differ in shape.
    """
    A2 = as_outputs("A2", A2)
    return layers.cross_entropy(A2, as_targets("Y", Y, A2, f"that of A2, {A2.shape}"))


@layers.quiet
def backward_propagation(
    parameters: Mapping[str, ArrayLike],
    cache: Mapping[str, ArrayLike],
    X: ArrayLike,
    Y: ArrayLike,
) -> dict[str, Array]:
    """Return the gradients, from the activations in the cache as they are.

    dZ2 = A2 − Y, dW2 = dZ2 A1ᵀ / m, dZ1 = W2ᵀ dZ2 (1 − A1²), dW1 = dZ1 Xᵀ / m; db = Σ dZ / m.

    Parameters
    ----------
    parameters : dict
        W2 (n_y, n_h); nothing else of it is used.
    cache : dict
        A1 (n_h, m) and A2 (n_y, m); nothing else of it is used.
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.

    Returns
    -------
    dict
        dW1 (n_h, n_x), db1 (n_h, 1), dW2 (n_y, n_h), db2 (n_y, 1).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If an array is missing.
    """
    X, W2 = as_matrix("X", X), as_matrix("W2", get_entry("parameters", parameters, "W2"))
    A1, A2 = (as_matrix(key, get_entry("cache", cache, key)) for key in ("A1", "A2"))
    rule = f"by W2, {W2.shape}, and the columns of X, {X.shape}"
    check_shape("A1", A1, (W2.shape[1], X.shape[1]), rule)
    check_shape("A2", A2, (len(W2), X.shape[1]), rule)
    dZ2 = A2 - as_targets("Y", Y, A2, f"that of A2, {A2.shape}")
    dA1, dW2, db2 = layers.linear_gradients(dZ2, A1, W2)
    dZ1 = layers.activation_backward("tanh", dA1, A1)
    # Only the shape of W1 is asked for, and it is that of dW1; no edition needs W1 itself here.
    W1 = np.empty((len(A1), len(X)))
    _, dW1, db1 = layers.linear_gradients(dZ1, X, W1, wanted=False)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def update_parameters(
    parameters: Mapping[str, ArrayLike],
    grads: Mapping[str, ArrayLike],
    learning_rate: float = 1.2,
) -> Parameters:
    """Take one step of gradient descent, W ← W − α dW and b ← b − α db.

    Parameters
    ----------
    parameters : dict
        W1, b1, W2, b2; left as they are.
    grads : dict
        dW1, db1, dW2, db2 of the same shapes.
    learning_rate : float
        α.

    Returns
    -------
    dict
        The new W1, b1, W2, b2.

    Raises
    ------
    SettingError
        If an array is missing.
    ShapeError
        If a gradient has another shape than its parameter.
    """
    return layers.update_parameters(parameters, grads, learning_rate)


def nn_model(
    X: ArrayLike,
    Y: ArrayLike,
    n_h: int,
    num_iterations: int = 10000,
    print_cost: bool = False,
    *,
    edition: int = LATEST,
) -> Parameters:
    """Train a network of n_h hidden units by gradient descent, α = 1.2.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    n_h : int
        Hidden units.
    num_iterations : int
        Steps to take.
    print_cost : bool
        Print the cost every 1000 steps.
    edition : int
        2021 draws the first weights from the seed 3; 2017 from the seed 2, as the notebooks of 2017
        to 2020 did, and the first builds of that of 2021.

    Returns
    -------
    dict
        W1, b1, W2, b2.

    Raises
    ------
    ShapeError
        If X and Y differ in the number of columns.
    SettingError
        If n_h is not a whole number from 1 on, or there is no such edition.
    """
    X, Y = as_matrix("X", X), as_matrix("Y", Y)
    check_shape("Y", Y, (None, X.shape[1]), f"one column for each column of X, {X.shape}")
    seed = 2 if is_older(edition) else 3
    parameters = initialize_parameters(len(X), n_h, len(Y), seed)
    for i in range(num_iterations):
        A2, cache = forward_propagation(X, parameters)
        if print_cost and i % 1000 == 0:
            print_cost_after(i, compute_cost(A2, Y))
        parameters = update_parameters(parameters, backward_propagation(parameters, cache, X, Y))
    return parameters


def predict(parameters: Mapping[str, ArrayLike], X: ArrayLike) -> NDArray[np.bool_]:
    """Return whether each probability is strictly above 0.5.

    Parameters
    ----------
    parameters : dict
        W1, b1, W2, b2.
    X : array_like, (n_x, m)
        Examples in columns.

    Returns
    -------
    ndarray of bool, (n_y, m)

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    return forward_propagation(X, parameters)[0] > 0.5
