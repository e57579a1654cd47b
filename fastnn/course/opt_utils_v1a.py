"""The optimisation notebook's helpers from 2018 on: `opt_utils`, but its cost is a sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._core.relu_net import losses
from .opt_utils import (
    backward_propagation,
    forward_propagation,
    initialize_parameters,
    load_2D_dataset,
    load_dataset,
    load_params_and_grads,
    plot_decision_boundary,
    predict,
    predict_dec,
    relu,
    sigmoid,
    update_parameters,
)

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


def compute_cost(a3: ArrayLike, Y: ArrayLike) -> float:
    """Return the sum −Σ (y log a + (1−y) log(1−a)), not the mean: batches differ in size.

    Parameters
    ----------
    a3 : array_like, (n_y, m)
        Probabilities; of a single output also (m,).
    Y : array_like, (n_y, m)
        Labels; of a single output also (m,).

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
