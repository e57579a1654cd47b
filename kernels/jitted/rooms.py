"""All modules that define kernels: importing this one defines every kernel."""

from __future__ import annotations

from .first_layer import driver, scaled_gather  # noqa: F401
from .gemm import blocked  # noqa: F401
from .ops import (  # noqa: F401
    activations,
    batchnorm,
    custom_losses,
    custom_methods,
    dense,
    losses,
    optimizers,
    random,
)
from .step import (  # noqa: F401
    custom_update,
    few_rows,
    gradient,
    gradient_check,
    int8_prediction,
    loop,
    prediction,
    sharded_loop,
    update,
)
