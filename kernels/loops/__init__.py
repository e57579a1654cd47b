"""The readable specification: every op as explicit loops over single numbers.

Nothing here is fast. The other backends are tested against these loops, number by number.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

from ..interpreter import bind
from .activations import (
    elu,
    elu_backward,
    exp,
    exp_backward,
    gelu,
    gelu_backward,
    identity,
    identity_backward,
    leaky_relu,
    leaky_relu_backward,
    mish,
    mish_backward,
    relu,
    relu_backward,
    selu,
    selu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softmax,
    softmax_backward,
    softplus,
    softplus_backward,
    tanh,
    tanh_backward,
)
from .batchnorm import (
    batch_moments,
    batchnorm_backward,
    batchnorm_forward,
)
from .dense import (
    dense_backward,
    dense_forward,
    dot,
    product,
    standardize,
)
from .losses import (
    absolute_error,
    binary_cross_entropy,
    binary_hits,
    categorical_cross_entropy,
    categorical_hits,
    huber,
    poisson,
    quantile,
    squared_error,
)
from .optimizers import (
    adam,
    bound_norms,
    clip,
    decay_weights,
    gradient_descent,
    largest,
    momentum,
    nesterov,
    norm,
    penalty,
    rmsprop,
)
from .random import (
    dropout,
    noise,
    philox,
    shuffle,
)

__all__ = [
    "absolute_error",
    "adam",
    "available",
    "batch_moments",
    "batchnorm_backward",
    "batchnorm_forward",
    "binary_cross_entropy",
    "binary_hits",
    "bound_norms",
    "categorical_cross_entropy",
    "categorical_hits",
    "clip",
    "decay_weights",
    "dense_backward",
    "dense_forward",
    "dot",
    "dropout",
    "elu",
    "elu_backward",
    "evaluate",
    "exp",
    "exp_backward",
    "forward",
    "gelu",
    "gelu_backward",
    "gradient",
    "gradient_descent",
    "huber",
    "identity",
    "identity_backward",
    "keep_team",
    "largest",
    "leaky_relu",
    "leaky_relu_backward",
    "mish",
    "mish_backward",
    "momentum",
    "nesterov",
    "noise",
    "norm",
    "penalty",
    "philox",
    "poisson",
    "predict",
    "product",
    "quantile",
    "relu",
    "relu_backward",
    "rmsprop",
    "run",
    "selu",
    "selu_backward",
    "shuffle",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "single",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "squared_error",
    "standardize",
    "tanh",
    "tanh_backward",
    "update",
    "workspace",
]

available = True

forward, predict, single, evaluate, gradient, update, run, workspace = bind(sys.modules[__name__])
keep_team = nullcontext  # these backends compute on their caller's thread alone
