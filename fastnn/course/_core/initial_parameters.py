"""First parameters, drawn from NumPy's global generator in the notebooks' order: W1 first."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from fastnn.errors import SettingError

from .arrays import Parameters


def check_layer_dims(layer_dims: Sequence[int]) -> list[int]:
    """Check the sizes of the layers, inputs first: at least two whole numbers from 1 on."""
    try:
        sizes = [operator.index(n) for n in layer_dims]
    except TypeError:
        sizes = []
    if len(sizes) < 2 or min(sizes) < 1:
        raise SettingError(
            f"layer_dims must be at least two whole numbers from 1 on, the number of inputs first, "
            f"as in [2, 4, 1]; got {layer_dims!r}"
        )
    return sizes


def draw_parameters(
    layer_dims: Sequence[int], *, seed: int | None, scale: float | Literal["sqrt"]
) -> Parameters:
    """Draw W (n, n_prev) from a normal distribution times `scale`, or over √n_prev; b (n, 1) = 0.

    With a seed the global generator starts from it, else it draws on.
    """
    sizes = check_layer_dims(layer_dims)
    if isinstance(scale, str) and scale != "sqrt":
        raise SettingError(f"scale must be a number or 'sqrt', got {scale!r}")
    if seed is not None:
        np.random.seed(seed)
    parameters: Parameters = {}
    for layer, (n_prev, n) in enumerate(pairwise(sizes), start=1):
        W = np.random.randn(n, n_prev)
        parameters[f"W{layer}"] = W / np.sqrt(n_prev) if scale == "sqrt" else W * scale
        parameters[f"b{layer}"] = np.zeros((n, 1))
    return parameters
