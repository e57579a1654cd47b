"""Activations of deep networks, each with its Z for the way back, and their derivatives."""

from __future__ import annotations

from numpy.typing import ArrayLike

from fastnn.errors import ShapeError

from ._core.arrays import Array, as_float64
from ._core.layers import activate, activation_backward

__all__ = ["relu", "relu_backward", "sigmoid", "sigmoid_backward"]


def sigmoid(Z: ArrayLike) -> tuple[Array, Array]:
    """Return A = 1 / (1 + e^−Z), and Z.

    Parameters
    ----------
    Z : array_like
        Of any shape.

    Returns
    -------
    A, Z : ndarray of float64
        Both of that shape.
    """
    Z = as_float64("Z", Z)
    return activate("sigmoid", Z), Z


def relu(Z: ArrayLike) -> tuple[Array, Array]:
    """Return A = max(0, Z), and Z.

    Parameters
    ----------
    Z : array_like
        Of any shape.

    Returns
    -------
    A, Z : ndarray of float64
        Both of that shape.
    """
    Z = as_float64("Z", Z)
    return activate("relu", Z), Z


def _pair(dA: ArrayLike, Z: ArrayLike) -> tuple[Array, Array]:
    """Return dA and Z, which must have one shape."""
    dA, Z = as_float64("dA", dA), as_float64("Z", Z)
    if dA.shape != Z.shape:
        raise ShapeError(
            f"dA must have the shape of Z, {Z.shape}, got {dA.shape}; "
            f"is the cache that of another layer?"
        )
    return dA, Z


def sigmoid_backward(dA: ArrayLike, Z: ArrayLike) -> Array:
    """Return dZ = dA σ(Z) (1 − σ(Z)).

    Parameters
    ----------
    dA, Z : array_like
        The gradient by A, and what the sigmoid was taken of; of one shape.

    Returns
    -------
    ndarray of float64
        dZ, of that shape.

    Raises
    ------
    ShapeError
        If dA and Z differ in shape.
    """
    dA, Z = _pair(dA, Z)
    return activation_backward("sigmoid", dA, activate("sigmoid", Z))


def relu_backward(dA: ArrayLike, Z: ArrayLike) -> Array:
    """Return dZ = dA where Z > 0, else 0: the derivative at 0 is taken as 0.

    Parameters
    ----------
    dA, Z : array_like
        The gradient by A, and what relu was taken of; of one shape.

    Returns
    -------
    ndarray of float64
        dZ, of that shape.

    Raises
    ------
    ShapeError
        If dA and Z differ in shape.
    """
    dA, Z = _pair(dA, Z)
    return activation_backward("relu", dA, activate("relu", Z))
