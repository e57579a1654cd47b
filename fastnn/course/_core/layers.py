"""The arithmetic of a layer whose columns are examples, by the ops of the active backend.

The ops take rows as examples. Transposed views are handed to them, W (n, n_prev) and A (n, m) in C
order: that is how the compiled kernels lay arrays out themselves, so nothing is copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._runtime.backend import active
from fastnn.errors import SettingError
from fastnn.kernels.opcodes import Activation, Method
from fastnn.kernels.records import StepNumbers

from .arrays import Array, Parameters, as_matrix, check_shape, count_layers, get_entry

ACTIVATIONS = ("relu", "sigmoid", "tanh")

# Below, e^−z overflows, and the notebooks' 1 / (1 + e^−z) is 0; a stabler sigmoid is not yet.
SIGMOID_ZERO = -float(np.log(np.finfo(np.float64).max))

# The notebooks print what saturated units give, inf and nan, without a warning.
quiet = np.errstate(all="ignore")


@quiet
def linear(A: Array, W: Array, b: Array) -> Array:
    """Z = W A + b.   Z (n, m); A (n_prev, m); W (n, n_prev); b (n, 1)."""
    Z = np.empty((W.shape[0], A.shape[1]))
    active().dense_forward(A.T, W.T, b[:, 0], Z.T)
    return Z


@quiet
def linear_gradients(
    dZ: Array, A_prev: Array, W: Array, *, wanted: bool = True
) -> tuple[Array, Array, Array]:
    """Return dA_prev = Wᵀ dZ, dW = dZ A_prevᵀ / m, db = Σ dZ / m, of the shapes of A_prev, W, b.

    With wanted=False dA_prev is left out (empty): nobody needs the gradient of the pixels.
    """
    dA_prev = np.empty(A_prev.shape if wanted else (0, 0))
    dW, db, m = np.empty(W.shape), np.empty((W.shape[0], 1)), dZ.shape[1]
    dX = dA_prev.T if wanted else None
    active().dense_backward(A_prev.T, W.T, dZ.T, dX, dW.T, db[:, 0])
    dW /= m
    db /= m
    return dA_prev, dW, db


def _row(array: Array) -> Array:
    """Return all numbers of an array in C order as one feature of many examples: (size, 1)."""
    return array.reshape(1, -1).T


@quiet
def activate(name: str, Z: Array) -> Array:
    """Return A = g(Z), number by number.   A, Z of any shape."""
    check_activation(name)
    A = np.empty(Z.shape)
    active().activations[Activation[name.upper()]].forward(_row(Z), _row(A))
    if name == "sigmoid":
        A[Z < SIGMOID_ZERO] = 0.0
    return A


@quiet
def activation_backward(name: str, dA: Array, A: Array) -> Array:
    """Return dZ = dA g'(Z), from A = g(Z); relu's is 0 at 0.   All of one shape."""
    check_activation(name)
    dZ = np.empty(A.shape)
    backward = active().activations[Activation[name.upper()]].backward
    backward(_row(dA), _row(A), _row(A), _row(dZ))
    return dZ


def check_activation(name: str) -> None:
    """Check the name of an activation."""
    if name not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise SettingError(f"activation must be one of {known}, got {name!r}")


@quiet
def cross_entropy(A: Array, Y: Array) -> float:
    """J = −1/m Σ (y log a + (1−y) log(1−a)), inf or nan where a is 0 or 1.   A, Y (n_y, m)."""
    losses = -(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    return float(losses.sum() / A.shape[1])


@quiet
def cross_entropy_gradient(A: Array, Y: Array) -> Array:
    """Return dA = −(y/a − (1−y)/(1−a)), the gradient of the sum over examples.   All (n_y, m)."""
    gradient: Array = -(Y / A - (1 - Y) / (1 - A))
    return gradient


def accuracy(predictions: NDArray[Any], Y: Array) -> float:
    """Return the share of right predictions, summed as the notebooks sum it.   Both (1, m)."""
    return float(np.sum((predictions == Y) / Y.shape[1]))


def descend(theta: Array, gradient: Array, learning_rate: float) -> None:
    """θ ← θ − learning_rate gradient, in place.   Both (p,)."""
    slots = np.empty((0, len(theta)))
    step = active().methods[Method.GRADIENT_DESCENT]
    step(theta, gradient, slots, StepNumbers(1, float(learning_rate)))


def gradient_step(array: Array, gradient: Array, learning_rate: float) -> Array:
    """Return a new array, array − learning_rate gradient.   All of one shape."""
    moved = array.copy()
    descend(moved.reshape(-1), gradient.reshape(-1), learning_rate)
    return moved


@quiet
def update_parameters(
    parameters: Mapping[str, ArrayLike], grads: Mapping[str, ArrayLike], learning_rate: float
) -> Parameters:
    """Take one step of gradient descent, W ← W − α dW and b ← b − α db, in every layer.

    Parameters
    ----------
    parameters : dict
        W1 (n1, n_x), b1 (n1, 1), W2, b2, …; left as they are.
    grads : dict
        dW1, db1, dW2, db2, … of the same shapes.
    learning_rate : float
        α.

    Returns
    -------
    dict
        The new W1, b1, …

    Raises
    ------
    SettingError
        If one of the arrays is missing.
    ShapeError
        If a gradient has another shape than its parameter.
    """
    updated: Parameters = {}
    for layer in range(1, count_layers(parameters) + 1):
        for key in (f"W{layer}", f"b{layer}"):
            array = as_matrix(key, parameters[key])
            gradient = as_matrix(f"d{key}", get_entry("grads", grads, f"d{key}"))
            check_shape(f"d{key}", gradient, (array.shape[0], array.shape[1]), f"that of {key}")
            updated[key] = gradient_step(array, gradient, float(learning_rate))
    return updated
