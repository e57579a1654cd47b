"""Requirements: names that a kernel is defined with, and that a call lists to have it compiled."""

from __future__ import annotations

import numpy as np

from ..custom_methods import CUSTOM_METHODS
from ..custom_ops import FIRST, LOSSES
from ..opcodes import Activation, Loss, Method

#: Number of weights n_in · n_out of a dense layer from which on its gradient dW may be computed by
#: a product that packs the activations; such a call requires "product".
MIN_PACKED_ENTRIES = 96

#: Requirements of products of numbers rounded to bfloat16: of a batch, and of a single example.
ROUNDED, ROUNDED_ROW = "rounded products", "rounded row"
ROUNDED_DTYPES = (np.dtype(np.float32),)  # of networks that have such products


def in_training(name):
    """Return "NAME in training", the requirement of kernels that only gradients and fits need.

    name: a requirement, a str. A gradient or a fit that requires "NAME" requires this name too.
    """
    return f"{name} in training"


def of_activation(code):
    """Return the requirement (a str) of an activation's kernel; code: its `Activation` or int."""
    return f"activation {Activation(code).name.lower()}"


def of_derivative(code):
    """Return the requirement (a str) of the kernel that computes dZ = dA g'(Z).

    code: g, an `Activation` or its int.
    """
    return f"{of_activation(code)} back"


def of_loss(code):
    """Return the requirement (a str) of a loss's kernel; code: a `Loss` or a custom one's."""
    return LOSSES[code].requirement if code >= FIRST else Loss(code).name.lower()


def of_method(code):
    """Return the requirement (a str) of a method's kernel; code: a `Method` or a custom one's."""
    if code >= FIRST:
        return CUSTOM_METHODS[code].requirement
    return f"method {Method(code).name.lower()}"
