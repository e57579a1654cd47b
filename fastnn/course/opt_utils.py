"""The helpers of the optimisation notebook: a three-layer network, its cost, the moons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.data import moons

from ._arrays import Array, Parameters
from ._layers import update_parameters
from ._points import columns, leave_generator
from ._relu_net import losses
from .init_utils import backward_propagation, forward_propagation, predict, predict_dec, relu
from .initialization import initialize_parameters_he
from .logistic_regression import sigmoid
from .planar_utils import plot_decision_boundary

__all__ = [
    "backward_propagation",
    "compute_cost",
    "forward_propagation",
    "initialize_parameters",
    "load_dataset",
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


def compute_cost(a3: ArrayLike, Y: ArrayLike) -> float:
    """Return the sum −Σ (y log a + (1−y) log(1−a)), not the mean: batches differ in size.

    Parameters
    ----------
    a3 : array_like, (n_y, m)
        Probabilities.
    Y : array_like, (n_y, m)
        Labels.

    Returns
    -------
    float
        The sum over the batch; inf or nan where a probability is 0 or 1.

    Raises
    ------
    ShapeError
        If a3 and Y differ in shape.
    """
    return float(np.sum(losses(a3, Y)))


def load_dataset() -> tuple[Array, NDArray[np.int64]]:
    """Draw the moons: 300 points with noise 0.2 from the seed 3.

    Returns
    -------
    train_X, train_Y : ndarray, (2, 300) and (1, 300)
        Points in columns and their classes, 0 or 1.
    """
    points = moons(300, NOISE, seed=3)
    leave_generator(3, 300)
    return columns(points)
