"""Names of what kernels are compiled for, which their definitions and the calls of them share."""

from __future__ import annotations

from ..opcodes import Activation, Loss, Method

#: Entries of dW from which on a layer's gradient may be a product with packed activations.
MIN_PACKED_ENTRIES = 96


def in_training(name):
    """Return the name of what only training requires of a kernel that is else named so."""
    return f"{name} in training"


def of_activation(code):
    """Return the name that the kernel of an activation has, and its derivative in training."""
    return f"activation {Activation(code).name.lower()}"


def of_derivative(code):
    """Return the name that the kernel of an activation's derivative has."""
    return f"{of_activation(code)} back"


def of_loss(code):
    """Return the name that the kernel of a loss has."""
    return Loss(code).name.lower()


def of_method(code):
    """Return the name that the kernel of an optimiser's step has."""
    return f"method {Method(code).name.lower()}"
