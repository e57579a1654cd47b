"""The helpers of the cat notebook: its data, its deep functions, and the images it got wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._runtime.optional import require
from fastnn.errors import ShapeError

from ._core.arrays import Parameters, as_matrix, check_shape
from ._core.initial_parameters import draw_parameters
from .deep import (
    L_layer_model,
    L_model_backward,
    L_model_forward,
    compute_cost,
    initialize_parameters,
    linear_activation_backward,
    linear_activation_forward,
    linear_backward,
    linear_forward,
    predict,
    two_layer_model,
    update_parameters,
)
from .dnn_utils import relu, relu_backward, sigmoid, sigmoid_backward
from .lr_utils import load_dataset as load_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "L_layer_model",
    "L_model_backward",
    "L_model_forward",
    "compute_cost",
    "initialize_parameters",
    "initialize_parameters_deep",
    "linear_activation_backward",
    "linear_activation_forward",
    "linear_backward",
    "linear_forward",
    "load_data",
    "predict",
    "print_mislabeled_images",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "two_layer_model",
    "update_parameters",
]


def initialize_parameters_deep(layer_dims: Sequence[int], seed: int | None = 1) -> Parameters:
    """Draw W1 … WL from a normal distribution over √(inputs of the layer), and set the biases to 0.

    The step-by-step notebook's function of this name, `deep.initialize_parameters_deep`, draws
    from the seed 3 and multiplies by 0.01: too small for the five layers of the cat notebook.

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


def print_mislabeled_images(
    classes: Sequence[Any] | NDArray[Any], X: ArrayLike, y: ArrayLike, p: ArrayLike
) -> list[Axes]:
    """Draw every image whose prediction differs from its label, side by side.

    Parameters
    ----------
    classes : sequence of bytes or str, (K,)
        The names of the classes.
    X : array_like, (h·h·3, m)
        Square images, one in each column, as they were flattened for training.
    y, p : array_like, (1, m)
        Labels and predictions.

    Returns
    -------
    list of Axes
        One for each wrong image; empty, and nothing drawn, where all are right.

    Raises
    ------
    ShapeError
        If the shapes do not fit or a column is no square image of three colours.
    MissingExtraError
        If matplotlib is not installed.
    """
    from fastnn import plot  # not at the top: training needs no pictures

    X, y, p = as_matrix("X", X), as_matrix("y", y), as_matrix("p", p)
    side = math.isqrt(len(X) // 3)
    if side * side * 3 != len(X) or not side:
        raise ShapeError(
            f"X must hold one square image of three colours in each column, (h·h·3, m), "
            f"got {X.shape}; are the images rows? Then pass X.T"
        )
    for name, row in (("y", y), ("p", p)):
        check_shape(name, row, (1, X.shape[1]), f"one for each column of X, {X.shape}")
    wrong = np.flatnonzero(y[0] != p[0])
    if not wrong.size:
        return []
    pyplot = require("matplotlib.pyplot", extra="plot", purpose="print_mislabeled_images")
    size = (3.2 * len(wrong), 3.6)
    axes = pyplot.subplots(1, len(wrong), figsize=size, squeeze=False)[1][0]
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in classes]
    for ax, k in zip(axes, wrong, strict=True):
        image = X[:, k].reshape(side, side, 3)
        plot.image(image, label=y[0, k], prediction=p[0, k], classes=names, ax=ax)
    return list(axes)
