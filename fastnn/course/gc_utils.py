"""The helpers of the gradient-checking notebook: dictionaries of parameters as one column."""

from __future__ import annotations

import math
from collections.abc import Mapping

from numpy.typing import ArrayLike

from fastnn.errors import ShapeError

from ._core.arrays import (
    Array,
    Parameters,
    as_float64,
    as_matrix,
    count_layers,
    get_entry,
    layer_parameters,
)
from ._core.parameter_vector import flatten, split_views
from .init_utils import relu
from .logistic_regression import sigmoid

__all__ = [
    "dictionary_to_vector",
    "gradients_to_vector",
    "relu",
    "sigmoid",
    "vector_to_dictionary",
]

#: The notebook's network.
SHAPES = {"W1": (5, 4), "b1": (5, 1), "W2": (3, 5), "b2": (3, 1), "W3": (1, 3), "b3": (1, 1)}


def dictionary_to_vector(parameters: Mapping[str, ArrayLike]) -> tuple[Array, list[str]]:
    """Put W1, b1, W2, b2, … into one column.

    Parameters
    ----------
    parameters : dict
        W1 (n_1, n_x), b1 (n_1, 1), …

    Returns
    -------
    theta : ndarray, (p, 1)
        All parameters, each array in C order.
    keys : list of str
        For each number the name of the array it comes from, p in all.

    Raises
    ------
    ShapeError
        If an array is no matrix, or a bias no column of its layer.
    SettingError
        If a parameter is missing.
    """
    arrays: Parameters = {}
    for layer in range(1, count_layers(parameters) + 1):
        arrays[f"W{layer}"], arrays[f"b{layer}"] = layer_parameters(parameters, layer)
    keys = [key for key, array in arrays.items() for _ in range(array.size)]
    return flatten(arrays, list(arrays)).reshape(-1, 1), keys


def vector_to_dictionary(
    theta: ArrayLike, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Parameters:
    """Take a column apart into W1, b1, W2, b2, …, the inverse of `dictionary_to_vector`.

    Parameters
    ----------
    theta : array_like, (p, 1) or (p,)
        All parameters.
    shapes : dict, optional
        The shape of each array, in order; without it those of the notebook's network of 4 inputs
        and 5, 3 and 1 units, 47 numbers.

    Returns
    -------
    dict
        Arrays of their own.

    Raises
    ------
    ShapeError
        If theta holds more or fewer numbers than the shapes.
    """
    column = as_float64("theta", theta)
    taken = dict(SHAPES if shapes is None else shapes)
    size = sum(math.prod(shape) for shape in taken.values())
    if column.size != size:
        held = ", ".join(f"{key} {shape}" for key, shape in taken.items())
        raise ShapeError(
            f"theta must hold {size} numbers, for {held}, got shape {column.shape}; for another "
            f"network pass shapes={{'W1': (n_1, n_x), 'b1': (n_1, 1), …}}"
        )
    return split_views(column.flatten(), taken)


def gradients_to_vector(gradients: Mapping[str, ArrayLike]) -> Array:
    """Put dW1, db1, dW2, db2, … into one column; other entries, such as dZ1, are left out.

    Parameters
    ----------
    gradients : dict
        dW1 (n_1, n_x), db1 (n_1, 1), …

    Returns
    -------
    ndarray, (p, 1)

    Raises
    ------
    SettingError
        If dW1 or the db of a dW is missing.
    """
    L = max(1, sum(key.startswith("dW") for key in gradients))
    names = [f"d{letter}{layer}" for layer in range(1, L + 1) for letter in "Wb"]
    arrays = {name: as_matrix(name, get_entry("gradients", gradients, name)) for name in names}
    return flatten(arrays, names).reshape(-1, 1)
