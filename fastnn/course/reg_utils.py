"""The helpers of the regularisation notebook: a three-layer network and the football field."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import DataFileError

from ._core.arrays import Array, Parameters
from ._core.initial_parameters import draw_parameters
from ._core.layers import update_parameters
from ._core.mat_file import read_matrices
from ._core.relu_net import backward, mean_loss, read_cache
from .init_utils import forward_propagation, predict, predict_dec, relu
from .logistic_regression import sigmoid
from .planar_utils import plot_decision_boundary

__all__ = [
    "backward_propagation",
    "compute_cost",
    "forward_propagation",
    "initialize_parameters",
    "load_2D_dataset",
    "plot_decision_boundary",
    "predict",
    "predict_dec",
    "relu",
    "sigmoid",
    "update_parameters",
]

PATH = "datasets/data.mat"


def initialize_parameters(layer_dims: Sequence[int], seed: int | None = 3) -> Parameters:
    """Draw normal weights over √(inputs of the layer), and set the biases to zero.

    Parameters
    ----------
    layer_dims : sequence of int
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
    return draw_parameters(layer_dims, seed=seed, scale="sqrt")


def compute_cost(a3: ArrayLike, Y: ArrayLike) -> float:
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


def backward_propagation(X: ArrayLike, Y: ArrayLike, cache: Sequence[ArrayLike]) -> Parameters:
    """Return the gradients of the cost, from the arrays in the cache as they are.

    dZ3 = A3 − Y, dW = dZ A_prevᵀ / m, db = Σ dZ / m, dA_prev = Wᵀ dZ, and dZ = dA where A > 0.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
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
    A, W, dZ, _ = read_cache(X, Y, cache)
    return backward(A, W, dZ)


def load_2D_dataset(
    path: str | os.PathLike[str] = PATH,
) -> tuple[Array, NDArray[Any], Array, NDArray[Any]]:
    """Read where a ball landed on the field, and which team reached it; needs SciPy.

    Parameters
    ----------
    path : str or path
        A MATLAB file with ``X``, ``y``, ``Xval`` and ``yval``, examples in rows.

    Returns
    -------
    train_X, train_Y : ndarray, (2, m_train) and (1, m_train)
        Points in columns and their labels, 0 or 1, as stored.
    test_X, test_Y : ndarray, (2, m_test) and (1, m_test)
        The same of the test set.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If the file is damaged, of another kind or lacks one of the four.
    MissingExtraError
        If SciPy is not installed.
    """
    matrices = read_matrices(path, ("X", "y", "Xval", "yval"))
    X, y, X_test, y_test = (np.ascontiguousarray(matrix.T) for matrix in matrices)
    if X.shape[1] != y.shape[1] or X_test.shape[1] != y_test.shape[1]:
        raise DataFileError(f"'{path}' must hold one label for each of its points")
    return X, y, X_test, y_test
