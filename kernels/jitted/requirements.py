"""Requirements: names that a kernel is defined with, and that a call lists to have it compiled."""

from __future__ import annotations

from ..opcodes import Activation, Loss, Method

#: Number of weights n_in · n_out of a dense layer from which on its gradient dW may be computed by
#: a product that packs the activations; such a call requires "product".
MIN_PACKED_ENTRIES = 96


def in_training(name):
    """Return "NAME in training", the requirement of kernels that only gradients and fits need.

    name: a requirement. A call for a gradient or a fit that requires it requires this too.
    """
    return f"{name} in training"


def of_activation(code):
    """Return the requirement of the kernel that computes an activation, from its code."""
    return f"activation {Activation(code).name.lower()}"


def of_derivative(code):
    """Return the requirement of the kernel that computes dZ = dA g'(Z), from g's code."""
    return f"{of_activation(code)} back"


def of_loss(code):
    """Return the requirement of the kernel that computes a loss, from its code."""
    return Loss(code).name.lower()


def of_method(code):
    """Return the requirement of the kernel of an optimiser's step, from the method's code."""
    return f"method {Method(code).name.lower()}"
