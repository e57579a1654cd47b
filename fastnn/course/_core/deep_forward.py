"""A deep network's way forward, step by step: initialise, linear part, activation, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from numpy.typing import ArrayLike

from fastnn.errors import SettingError

from .. import dnn_utils
from .arrays import (
    Array,
    Parameters,
    as_bias,
    as_matrix,
    as_outputs,
    as_targets,
    check_shape,
    count_layers,
    layer_parameters,
)
from .initial_parameters import draw_parameters
from .layers import cross_entropy, linear

LinearCache = tuple[Array, Array, Array]
Cache = tuple[LinearCache, Array]

FORWARD = {"sigmoid": dnn_utils.sigmoid, "relu": dnn_utils.relu}


def initialize_parameters(n_x: int, n_h: int, n_y: int, seed: int | None = 1) -> Parameters:
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


def initialize_parameters_deep(
    layer_dims: Sequence[int],
    seed: int | None = 3,
    scale: float | Literal["sqrt"] = 0.01,
) -> Parameters:
    """Draw W1 … WL from a normal distribution, and set b1 … bL to zero.

    Parameters
    ----------
    layer_dims : sequence of int
        Sizes of the layers, the number of inputs first.
    seed : int or None
        Seed of NumPy's global generator; None draws on.
    scale : float or "sqrt"
        Factor of the weights; "sqrt" divides those of a layer by √(inputs of the layer).

    Returns
    -------
    dict
        Wl (n_l, n_{l−1}) and bl (n_l, 1) of each layer.

    Raises
    ------
    SettingError
        If a size is not a whole number from 1 on, or the scale is unknown.
    """
    return draw_parameters(layer_dims, seed=seed, scale=scale)


def linear_forward(A: ArrayLike, W: ArrayLike, b: ArrayLike) -> tuple[Array, LinearCache]:
    """Return Z = W A + b, and (A, W, b) for the way back.

    Parameters
    ----------
    A : array_like, (n_prev, m)
        Activations of the layer before, examples in columns.
    W : array_like, (n, n_prev)
        Weights.
    b : array_like, (n, 1)
        Biases.

    Returns
    -------
    Z : ndarray, (n, m)
    cache : tuple
        (A, W, b) as float64.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    A, W = as_matrix("A", A), as_matrix("W", W)
    check_shape("W", W, (None, len(A)), f"one column for each row of A, {A.shape}")
    b = as_bias("b", b, len(W), f"one row for each row of W, {W.shape}")
    return linear(A, W, b), (A, W, b)


def linear_activation_forward(
    A_prev: ArrayLike, W: ArrayLike, b: ArrayLike, activation: str
) -> tuple[Array, Cache]:
    """Return A = g(W A_prev + b), and ((A_prev, W, b), Z) for the way back.

    Parameters
    ----------
    A_prev, W, b
        As for `linear_forward`.
    activation : {"sigmoid", "relu"}
        The function g.

    Returns
    -------
    A : ndarray, (n, m)
    cache : tuple
        ((A_prev, W, b), Z).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If there is no such activation.
    """
    check(activation)
    Z, linear_cache = linear_forward(A_prev, W, b)
    return FORWARD[activation](Z)[0], (linear_cache, Z)


def check(activation: str) -> None:
    """Check the name of an activation."""
    if activation not in FORWARD:
        raise SettingError(f"activation must be 'sigmoid' or 'relu', got {activation!r}")


def L_model_forward(X: ArrayLike, parameters: Mapping[str, ArrayLike]) -> tuple[Array, list[Cache]]:
    """Run L layers: relu in all but the last, sigmoid in the last.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    parameters : dict
        W1 (n_1, n_x), b1 (n_1, 1), …, WL, bL.

    Returns
    -------
    AL : ndarray, (n_L, m)
        Probabilities.
    caches : list
        ((A_prev, W, b), Z) of each layer, the first one first.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    L, A, caches = count_layers(parameters), as_matrix("X", X), []
    for layer in range(1, L + 1):
        W, b = layer_parameters(parameters, layer)
        source = "X" if layer == 1 else f"A{layer - 1}"
        check_shape(
            f"W{layer}", W, (None, len(A)), f"one column for each row of {source}, {A.shape}"
        )
        A, cache = linear_activation_forward(A, W, b, "sigmoid" if layer == L else "relu")
        caches.append(cache)
    return A, caches


def compute_cost(AL: ArrayLike, Y: ArrayLike) -> float:
    """Return −1/m Σ (y log a + (1−y) log(1−a)).

    Parameters
    ----------
    AL : array_like, (n_y, m)
        Probabilities; of a single output also (m,).
    Y : array_like, (n_y, m)
        Labels; of a single output also (m,).

    Returns
    -------
    float
        The cost; inf or nan where a probability is 0 or 1.

    Raises
    ------
    ShapeError
        If AL and Y differ in shape.
    """
    AL = as_outputs("AL", AL)
    return cross_entropy(AL, as_targets("Y", Y, AL, f"that of AL, {AL.shape}"))
