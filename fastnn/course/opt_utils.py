"""The helpers of the optimisation notebook until 2018: a three-layer network, its cost, the moons.

Notebooks from 2018 on import ``opt_utils_v1a``, whose cost is a sum where this one is a mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.data import moons

from ._core.arrays import Array, Parameters
from ._core.layers import update_parameters
from ._core.relu_net import losses
from ._core.toy_columns import advance_generator, to_columns
from .init_utils import backward_propagation, forward_propagation, predict, predict_dec, relu
from .initialization import initialize_parameters_he
from .logistic_regression import sigmoid
from .planar_utils import plot_decision_boundary
from .reg_utils import load_2D_dataset

__all__ = [
    "backward_propagation",
    "compute_cost",
    "forward_propagation",
    "initialize_parameters",
    "load_2D_dataset",
    "load_dataset",
    "load_params_and_grads",
    "plot_decision_boundary",
    "predict",
    "predict_dec",
    "relu",
    "sigmoid",
    "update_parameters",
]

NOISE = 0.2


def initialize_parameters(layer_dims: Sequence[int], seed: int | None = 3) -> Parameters:
    """Draw normal weights times √(2 / inputs of the layer), and set the biases to zero.

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
    return initialize_parameters_he(layer_dims, seed)


def load_params_and_grads(seed: int | None = 1) -> tuple[Array, ...]:
    """Draw the parameters and gradients of a network of two layers, normal numbers.

    Parameters
    ----------
    seed : int or None
        Seed of NumPy's global generator; None draws on.

    Returns
    -------
    W1, b1, W2, b2, dW1, db1, dW2, db2 : ndarray
        Of shapes (2, 3), (2, 1), (3, 3), (3, 1), and the same again.
    """
    if seed is not None:
        np.random.seed(seed)
    return tuple(np.random.randn(*shape) for shape in 2 * [(2, 3), (2, 1), (3, 3), (3, 1)])


def compute_cost(a3: ArrayLike, Y: ArrayLike) -> float:
    """Return the mean −1/m Σ (y log a + (1−y) log(1−a)).

    Parameters
    ----------
    a3 : array_like, (n_y, m)
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
        If a3 and Y differ in shape.
    """
    each = losses(a3, Y)
    return float(np.sum(each) / each.shape[1])


def load_dataset() -> tuple[Array, NDArray[np.int64]]:
    """Draw the moons: 300 points with noise 0.2 from the seed 3.

    Returns
    -------
    train_X, train_Y : ndarray, (2, 300) and (1, 300)
        Points in columns and their classes, 0 or 1.
    """
    points = moons(300, NOISE, seed=3)
    advance_generator(3, 300)
    return to_columns(points)
