"""Deep networks, step by step and as whole models: relu layers and a last sigmoid layer."""

from __future__ import annotations

from ._core.deep_backward import L_model_backward, linear_activation_backward, linear_backward
from ._core.deep_forward import (
    L_model_forward,
    compute_cost,
    initialize_parameters,
    initialize_parameters_deep,
    linear_activation_forward,
    linear_forward,
)
from ._core.deep_models import L_layer_model, predict, two_layer_model
from ._core.layers import update_parameters

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
    "predict",
    "two_layer_model",
    "update_parameters",
]
