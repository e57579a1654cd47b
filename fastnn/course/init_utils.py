"""The helpers of the initialisation notebook: a three-layer network, its cost, the circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.data import circles

from ._core.arrays import Array, Parameters, as_float64, as_targets
from ._core.layers import activate, update_parameters
from ._core.relu_net import as_cache, as_layers, backward, forward, mean_loss, read_cache
from ._core.toy_columns import advance_generator, to_columns
from .logistic_regression import sigmoid
from .lr_utils import load_dataset as read_cats
from .planar_utils import plot_decision_boundary

__all__ = [
    "backward_propagation",
    "compute_loss",
    "forward_propagation",
    "load_cat_dataset",
    "load_dataset",
    "plot_decision_boundary",
    "predict",
    "predict_dec",
    "relu",
    "sigmoid",
    "update_parameters",
]

NOISE = 0.05


def relu(x: ArrayLike) -> Array:
    """Return max(0, x) of a number or an array of any shape, number by number.

    Parameters
    ----------
    x : array_like
        A number or an array.

    Returns
    -------
    ndarray of float64
        The same shape; for a single number a NumPy float.
    """
    a: Array = activate("relu", as_float64("x", x))[()]
    return a


def forward_propagation(
    X: ArrayLike, parameters: Mapping[str, ArrayLike]
) -> tuple[Array, tuple[Array, ...]]:
    """Return a3 = σ(W3 relu(W2 relu(W1 X + b1) + b2) + b3) and what stands between.

    Any number of layers will do: relu in all but the last, sigmoid in the last.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    parameters : dict
        W1 (n_1, n_x), b1 (n_1, 1), …, W3, b3.

    Returns
    -------
    a3 : ndarray, (n_y, m)
        Probabilities.
    cache : tuple
        (z1, a1, W1, b1, z2, a2, W2, b2, z3, a3, W3, b3).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    X, layers = as_layers(X, parameters)
    Z, A = forward(X, layers)
    return A[-1], as_cache(layers, Z, A)


def backward_propagation(X: ArrayLike, Y: ArrayLike, cache: Sequence[ArrayLike]) -> Parameters:
    """Return the gradients of the mean loss, from the arrays in the cache as they are.

    dz3 = (a3 − Y) / m already holds the mean, so dW = dz a_prevᵀ and db = Σ dz are plain sums;
    dz = da where a > 0, else 0.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    cache : tuple
        (z1, a1, W1, b1, …, z3, a3, W3, b3).

    Returns
    -------
    dict
        dz3, dW3, db3, da2, dz2, dW2, db2, da1, dz1, dW1, db1.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If the cache does not hold four arrays for each layer.
    """
    A, W, dZ, _ = read_cache(X, Y, cache)
    grads, m = backward(A, W, dZ), dZ.shape[1]
    return {
        key.lower() if key[1] in "ZA" else key: array / m if key[1] in "ZA" else array
        for key, array in grads.items()
    }


def compute_loss(a3: ArrayLike, Y: ArrayLike) -> float:
    """Return −1/m Σ (y log a + (1−y) log(1−a)), in which nan counts as nothing (nansum).

    Parameters
    ----------
    a3 : array_like, (n_y, m)
        Probabilities.
    Y : array_like, (n_y, m)
        Labels.

    Returns
    -------
    float
        The cost; inf where a label was given the probability 0.

    Raises
    ------
    ShapeError
        If a3 and Y differ in shape.
    """
    return mean_loss(a3, Y)


def predict(X: ArrayLike, y: ArrayLike, parameters: Mapping[str, ArrayLike]) -> NDArray[np.int64]:
    """Return 1 where the probability is strictly above 0.5, else 0; print the accuracy.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    y : array_like, (1, m)
        Their labels.
    parameters : dict
        W1, b1, …, W3, b3.

    Returns
    -------
    ndarray of int, (1, m)
        Predictions, 0 or 1.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If a parameter is missing.
    """
    predictions = predict_dec(parameters, X).astype(np.int64)
    rule = f"one label for each prediction, {predictions.shape}"
    y = as_targets("y", y, predictions.astype(np.float64), rule)
    print(f"Accuracy: {float(np.mean(predictions == y))}")
    return predictions


def predict_dec(parameters: Mapping[str, ArrayLike], X: ArrayLike) -> NDArray[np.bool_]:
    """Return whether each probability is strictly above 0.5, for a decision boundary.

    Parameters
    ----------
    parameters : dict
        W1, b1, …, W3, b3.
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


def load_cat_dataset() -> tuple[Array, NDArray[Any], Array, NDArray[Any], NDArray[np.bytes_]]:
    """Read the cat images of ``datasets/`` as columns of pixels from 0 to 1.

    Returns
    -------
    train_X, train_Y : ndarray, (h·w·3, m_train) and (1, m_train)
    test_X, test_Y : ndarray, (h·w·3, m_test) and (1, m_test)
    classes : ndarray of bytes, (K,)

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    DataFileError
        If a file is damaged or of another kind.
    """
    train_X, train_Y, test_X, test_Y, classes = read_cats()
    train, test = (X.reshape(len(X), -1).T / 255 for X in (train_X, test_X))
    return train, train_Y, test, test_Y, classes


def load_dataset() -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Draw the circles: 300 points from the seed 1 to train on, 100 from the seed 2 to test.

    Returns
    -------
    train_X, train_Y : ndarray, (2, 300) and (1, 300)
        Points in columns and their classes, 0 or 1.
    test_X, test_Y : ndarray, (2, 100) and (1, 100)
        The same of the test set.
    """
    train, test = circles(300, NOISE, seed=1), circles(100, NOISE, seed=2)
    advance_generator(2, 100)
    return *to_columns(train), *to_columns(test)
