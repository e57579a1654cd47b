# ruff: noqa: N999 - the notebooks import it by this name
"""The inputs of the one-hidden-layer notebook, which unpacks its cost's exercise the other way."""

from __future__ import annotations

from ._core.arrays import Array
from .testCases import (
    backward_propagation_test_case,
    forward_propagation_test_case,
    initialize_parameters_test_case,
    layer_sizes_test_case,
    nn_model_test_case,
    predict_test_case,
    update_parameters_test_case,
)
from .testCases import (
    compute_cost_test_case as _deep_case,
)

__all__ = [
    "backward_propagation_test_case",
    "compute_cost_test_case",
    "forward_propagation_test_case",
    "initialize_parameters_test_case",
    "layer_sizes_test_case",
    "nn_model_test_case",
    "predict_test_case",
    "update_parameters_test_case",
]


def compute_cost_test_case() -> tuple[Array, Array]:
    """Return A2 and Y (1, 3), in this order."""
    Y, A2 = _deep_case()
    return A2, Y
