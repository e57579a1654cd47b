"""The compiled backend: the same ops and the same run, through Numba."""

from __future__ import annotations

from numba import config as _config

from .doors import (
    adam,
    all_finite,
    binary_cross_entropy,
    binary_hits,
    categorical_cross_entropy,
    categorical_hits,
    dense_backward,
    dense_forward,
    dot,
    gradient_descent,
    identity,
    identity_backward,
    leaky_relu,
    leaky_relu_backward,
    penalty,
    philox,
    relu,
    relu_backward,
    shuffle,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    squared_error,
    standardize,
    tanh,
    tanh_backward,
)
from .program import evaluate, forward, gradient, predict, run, update, workspace

__all__ = [
    "adam",
    "all_finite",
    "available",
    "binary_cross_entropy",
    "binary_hits",
    "categorical_cross_entropy",
    "categorical_hits",
    "dense_backward",
    "dense_forward",
    "dot",
    "evaluate",
    "forward",
    "gradient",
    "gradient_descent",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "penalty",
    "philox",
    "predict",
    "relu",
    "relu_backward",
    "run",
    "shuffle",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "squared_error",
    "standardize",
    "tanh",
    "tanh_backward",
    "update",
    "workspace",
]

#: Whether the kernels can be compiled; with Numba's compiler switched off they would crawl.
available = not _config.DISABLE_JIT
