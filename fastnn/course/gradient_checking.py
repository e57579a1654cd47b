"""Gradient checking: what backward propagation gives, held against slopes of the cost itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastnn.errors import ShapeError

from . import reg_utils
from ._core.arrays import Array, Parameters, as_float64, as_targets, get_entry
from ._core.checks import check_epsilon
from ._core.editions import LATEST, is_older
from ._core.layers import cross_entropy, quiet
from ._core.parameter_vector import FlatParameters
from ._core.relu_net import as_cache, as_layers, forward
from .gc_utils import gradients_to_vector

__all__ = [
    "backward_propagation",
    "backward_propagation_n",
    "forward_propagation",
    "forward_propagation_n",
    "gradient_check",
    "gradient_check_n",
]

#: The difference above which the notebook calls a gradient wrong.
LIMIT = 2e-7


def forward_propagation(x: ArrayLike, theta: ArrayLike) -> Array:
    """Return J = θ x.

    Parameters
    ----------
    x, theta : float or array_like
        Numbers, or arrays that are multiplied number by number.

    Returns
    -------
    float or ndarray
        J, for single numbers a NumPy float.

    Raises
    ------
    ShapeError
        If the shapes of x and theta do not go together.
    """
    x, theta = _pair(x, theta)
    J: Array = np.multiply(theta, x)
    return J


def backward_propagation(x: ArrayLike, theta: ArrayLike) -> Array:
    """Return dθ = x, the derivative of J = θ x by θ.

    Parameters
    ----------
    x, theta : float or array_like
        As for `forward_propagation`.

    Returns
    -------
    float or ndarray
        dθ, for single numbers a NumPy float.

    Raises
    ------
    ShapeError
        If the shapes of x and theta do not go together.
    """
    x, theta = _pair(x, theta)
    shape = np.broadcast_shapes(x.shape, theta.shape)
    dtheta: Array = np.broadcast_to(x, shape).copy()[()]
    return dtheta


def _pair(x: ArrayLike, theta: ArrayLike) -> tuple[Array, Array]:
    """Return x and theta, whose shapes must go together."""
    x, theta = as_float64("x", x), as_float64("theta", theta)
    try:
        np.broadcast_shapes(x.shape, theta.shape)
    except ValueError:
        raise ShapeError(
            f"theta must have the shape of x, {x.shape}, or be a number, got {theta.shape}; "
            f"pass one θ for each x"
        ) from None
    return x, theta


@quiet
def gradient_check(
    x: ArrayLike, theta: ArrayLike, epsilon: float = 1e-7, print_msg: bool = False
) -> np.float64:
    """Compare `backward_propagation` with (J(θ + ε) − J(θ − ε)) / 2ε.

    Parameters
    ----------
    x, theta : float or array_like
        As for `forward_propagation`.
    epsilon : float
        ε, above 0.
    print_msg : bool
        Print the verdict.

    Returns
    -------
    numpy.float64
        ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), below 2e-7 where the gradient is right.

    Raises
    ------
    ShapeError
        If the shapes of x and theta do not go together.
    SettingError
        If epsilon is not above 0.
    """
    x, theta = _pair(x, theta)
    step = check_epsilon(epsilon)
    ends = [forward_propagation(x, theta + sign * step) for sign in (1, -1)]
    approximation = (ends[0] - ends[1]) / (2 * step)
    return _difference(backward_propagation(x, theta), approximation, print_msg)


def _difference(gradient: Array, approximation: Array, print_msg: bool) -> np.float64:
    """Return ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), 0 where both are 0; say what it means when asked to."""
    apart = float(np.linalg.norm(np.ravel(gradient - approximation)))
    whole = float(np.linalg.norm(np.ravel(gradient)) + np.linalg.norm(np.ravel(approximation)))
    difference = apart / whole if whole else 0.0
    if print_msg:
        right = "The backward propagation is right"
        verdict = right if difference <= LIMIT else "There is a mistake in the backward propagation"
        print(f"{verdict}: difference = {difference!r}")
    return np.float64(difference)


def forward_propagation_n(
    X: ArrayLike, Y: ArrayLike, parameters: Mapping[str, ArrayLike]
) -> tuple[float, tuple[Array, ...]]:
    """Return the cost of a network of relu, relu, sigmoid, and what stands between.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels; of a single output also (m,).
    parameters : dict
        W1 (n_1, n_x), b1 (n_1, 1), …, W3, b3.

    Returns
    -------
    cost : float
        −1/m Σ (y log a + (1−y) log(1−a)).
    cache : tuple
        (Z1, A1, W1, b1, Z2, A2, W2, b2, Z3, A3, W3, b3).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    X, layers = as_layers(X, parameters)
    Z, A = forward(X, layers)
    return cross_entropy(A[-1], _labels(Y, A[-1])), as_cache(layers, Z, A)


def _labels(Y: ArrayLike, A: Array) -> Array:
    """Return labels of the shape of A (n_y, m)."""
    return as_targets("Y", Y, A, f"one label for each output and column of X, {A.shape}")


def backward_propagation_n(X: ArrayLike, Y: ArrayLike, cache: Sequence[ArrayLike]) -> Parameters:
    """Return the gradients of that cost, from the arrays in the cache as they are.

    dZ3 = A3 − Y, dW = dZ A_prevᵀ / m, db = Σ dZ / m, dA_prev = Wᵀ dZ, and dZ = dA where A > 0.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels; of a single output also (m,).
    cache : tuple
        (Z1, A1, W1, b1, Z2, A2, W2, b2, Z3, A3, W3, b3).

    Returns
    -------
    dict
        dZ3, dW3, db3, dA2, dZ2, dW2, db2, dA1, dZ1, dW1, db1.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If the cache does not hold four arrays for each layer.
    """
    return reg_utils.backward_propagation(X, Y, cache)


@quiet
def gradient_check_n(
    parameters: Mapping[str, ArrayLike],
    gradients: Mapping[str, ArrayLike],
    X: ArrayLike,
    Y: ArrayLike,
    epsilon: float = 1e-7,
    print_msg: bool = False,
    *,
    edition: int = LATEST,
) -> np.float64:
    """Compare gradients with (J(θ + ε) − J(θ − ε)) / 2ε, taken for each number θ in turn.

    Parameters
    ----------
    parameters : dict
        W1 (n_1, n_x), b1 (n_1, 1), …, W3, b3.
    gradients : dict
        dW1, db1, …, dW3, db3, of `backward_propagation_n`; other entries are left out.
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels; of a single output also (m,).
    epsilon : float
        ε, above 0.
    print_msg : bool
        Print the verdict.
    edition : int
        2021, or 2017 for the notebooks of 2017 to 2020, which always print it.

    Returns
    -------
    numpy.float64
        ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), below 2e-7 where the gradients are right.

    Raises
    ------
    ShapeError
        If the shapes do not fit, or a gradient has not the shape of its parameter.
    SettingError
        If an array is missing, epsilon is not above 0, or there is no such edition.
    """
    print_msg = is_older(edition) or print_msg
    X, layers = as_layers(X, parameters)
    step = check_epsilon(epsilon)
    names = [f"{letter}{layer}" for layer in range(1, len(layers) + 1) for letter in "Wb"]
    arrays = dict(zip(names, (array for pair in layers for array in pair), strict=True))
    for name, array in arrays.items():
        shape = np.shape(get_entry("gradients", gradients, f"d{name}"))
        if shape != array.shape:
            raise ShapeError(
                f"d{name} must have the shape of {name}, {array.shape}, got {shape}; "
                f"is it the gradient of another layer?"
            )
    net = FlatParameters(arrays)
    Y = _labels(Y, forward(X, net.layers)[1][-1])
    given = gradients_to_vector({f"d{name}": gradients[f"d{name}"] for name in names})[:, 0]
    return _difference(given, _slopes(net, X, Y, step), print_msg)


def _slopes(net: FlatParameters, X: Array, Y: Array, step: float) -> Array:
    """Return the central difference of the cost by every parameter, (p,)."""
    slopes = np.empty(net.theta.size)
    for i, value in enumerate(net.theta.copy()):
        ends = []
        for sign in (1, -1):
            net.theta[i] = value + sign * step
            ends.append(cross_entropy(forward(X, net.layers)[1][-1], Y))
        net.theta[i] = value
        slopes[i] = (ends[0] - ends[1]) / (2 * step)
    return slopes
