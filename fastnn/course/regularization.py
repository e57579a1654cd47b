"""L2 regularisation and dropout, step by step, and a model that is trained with either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import SettingError

from ._core.arrays import Array, Parameters, count_layers, layer_parameters
from ._core.checks import check_keep_prob, check_lambd
from ._core.cost_printing import print_cost_after
from ._core.layers import quiet
from ._core.parameter_vector import FlatParameters
from ._core.relu_net import (
    Layers,
    as_cache,
    as_examples,
    as_layers,
    backward,
    forward,
    mean_loss,
    read_cache,
)
from .reg_utils import compute_cost, initialize_parameters

__all__ = [
    "backward_propagation_with_dropout",
    "backward_propagation_with_regularization",
    "compute_cost_with_regularization",
    "forward_propagation_with_dropout",
    "model",
]

HIDDEN = (20, 3)


@quiet
def compute_cost_with_regularization(
    A3: ArrayLike, Y: ArrayLike, parameters: Mapping[str, ArrayLike], lambd: float
) -> np.float64:
    """Return the cross-entropy plus λ/(2m) Σ ‖W‖², over the weights of all layers.

    Parameters
    ----------
    A3 : array_like, (n_y, m)
        Probabilities.
    Y : array_like, (n_y, m)
        Labels.
    parameters : dict
        W1, b1, …, W3, b3.
    lambd : float
        λ, not negative.

    Returns
    -------
    numpy.float64
        The cost; inf where a label was given the probability 0.

    Raises
    ------
    ShapeError
        If A3 and Y differ in shape.
    SettingError
        If λ is negative or a parameter is missing.
    """
    lambd = check_lambd(lambd)
    L = count_layers(parameters)
    weights = [layer_parameters(parameters, layer)[0] for layer in range(1, L + 1)]
    return np.float64(compute_cost(A3, Y) + _frobenius(weights, lambd, np.shape(A3)[-1]))


def _frobenius(weights: Sequence[Array], lambd: float, m: int) -> float:
    """Return λ/(2m) Σ ‖W‖² over the layers."""
    return lambd / (2 * m) * float(sum(np.sum(np.square(W)) for W in weights))


def backward_propagation_with_regularization(
    X: ArrayLike, Y: ArrayLike, cache: Sequence[ArrayLike], lambd: float
) -> Parameters:
    """Return the gradients of the cost with L2: dW = dZ A_prevᵀ / m + λ/m W, all else as without.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    cache : tuple
        (Z1, A1, W1, b1, Z2, A2, W2, b2, Z3, A3, W3, b3); its arrays are taken as they are.
    lambd : float
        λ, not negative.

    Returns
    -------
    dict
        dZ3, dW3, db3, dA2, dZ2, dW2, db2, dA1, dZ1, dW1, db1.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If λ is negative or the cache does not hold four arrays for each layer.
    """
    A, W, dZ, _ = read_cache(X, Y, cache)
    return backward(A, W, dZ, lambd=check_lambd(lambd))


def forward_propagation_with_dropout(
    X: ArrayLike,
    parameters: Mapping[str, ArrayLike],
    keep_prob: float = 0.5,
    seed: int | None = 1,
) -> tuple[Array, tuple[Array, ...]]:
    """Run the network with inverted dropout on the hidden layers, A = relu(Z) D / keep_prob.

    D = rand < keep_prob is drawn from NumPy's global generator, D1 first.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    parameters : dict
        W1, b1, …, W3, b3.
    keep_prob : float
        The share of units that stay, above 0 and at most 1.
    seed : int or None
        Seed of NumPy's global generator; None draws on.

    Returns
    -------
    A3 : ndarray, (n_y, m)
        Probabilities.
    cache : tuple
        (Z1, D1, A1, W1, b1, Z2, D2, A2, W2, b2, Z3, A3, W3, b3), the D of bool.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If keep_prob lies outside (0, 1] or a parameter is missing.
    """
    keep_prob = check_keep_prob(keep_prob)
    X, layers = as_layers(X, parameters)
    masks = _masks(layers, X.shape[1], keep_prob, seed)
    Z, A = forward(X, layers, masks, keep_prob)
    return A[-1], as_cache(layers, Z, A, masks)


def _masks(layers: Layers, m: int, keep_prob: float, seed: int | None) -> list[NDArray[Any]]:
    """Draw D (n, m) of every hidden layer, the first one first."""
    if seed is not None:
        np.random.seed(seed)
    return [np.random.rand(len(W), m) < keep_prob for W, _ in layers[:-1]]


def backward_propagation_with_dropout(
    X: ArrayLike, Y: ArrayLike, cache: Sequence[ArrayLike], keep_prob: float
) -> Parameters:
    """Return the gradients through dropout: dA = Wᵀ dZ D / keep_prob, all else as without.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    cache : tuple
        (Z1, D1, A1, W1, b1, Z2, D2, A2, W2, b2, Z3, A3, W3, b3); its arrays are taken as they are.
    keep_prob : float
        The share of units that stayed, above 0 and at most 1.

    Returns
    -------
    dict
        dZ3, dW3, db3, dA2, dZ2, dW2, db2, dA1, dZ1, dW1, db1.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If keep_prob lies outside (0, 1] or an array of the cache is missing.
    """
    A, W, dZ, masks = read_cache(X, Y, cache, dropout=True)
    return backward(A, W, dZ, masks=masks, keep_prob=check_keep_prob(keep_prob))


@quiet
def model(
    X: ArrayLike,
    Y: ArrayLike,
    learning_rate: float = 0.3,
    num_iterations: int = 30000,
    print_cost: bool = True,
    lambd: float = 0,
    keep_prob: float = 1,
) -> Parameters:
    """Train a network [n_x, 20, 3, 1] plainly, with L2 or with dropout.

    The notebook seeds dropout with 1 in every iteration, so that the same units fall out each
    time; so does this model, and therefore draws them once. ``fastnn.Network`` draws anew.

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
        Print the cost every 10000 steps.
    lambd : float
        λ of L2, not negative; 0 is without.
    keep_prob : float
        The share of hidden units that stay, above 0 and at most 1; 1 is without dropout.

    Returns
    -------
    dict
        W1, b1, W2, b2, W3, b3.

    Raises
    ------
    ShapeError
        If Y does not hold one label for each column of X.
    SettingError
        If λ or keep_prob lies outside its range, or both are used at once.
    """
    X, Y = as_examples(X, Y)
    lambd, keep_prob = check_lambd(lambd), check_keep_prob(keep_prob)
    if lambd and keep_prob < 1:
        raise SettingError(
            f"lambd and keep_prob are tried one at a time here, as in the notebook, got "
            f"lambd={lambd:g} and keep_prob={keep_prob:g}; fastnn.Network takes both"
        )
    net = FlatParameters(initialize_parameters([len(X), *HIDDEN, 1]))
    weights = [W for W, _ in net.layers]
    dropped = keep_prob < 1 and num_iterations > 0
    masks = _masks(net.layers, X.shape[1], keep_prob, seed=1) if dropped else []
    for i in range(num_iterations):
        A = forward(X, net.layers, masks, keep_prob)[1]
        if print_cost and i % 10000 == 0:
            cost = mean_loss(A[-1], Y) + _frobenius(weights, lambd, X.shape[1])
            print_cost_after(i, cost, digits=None)
        error = A[-1] - Y
        grads = backward(A, weights, error, lambd=lambd, masks=masks, keep_prob=keep_prob)
        net.step(net.gradient(grads), learning_rate)
    return net.result()
