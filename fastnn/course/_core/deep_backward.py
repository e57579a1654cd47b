"""A deep network's way back, step by step: from the cost's gradient to those of W and b."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastnn.errors import SettingError, ShapeError

from .. import dnn_utils
from .arrays import Array, as_matrix, as_targets, check_shape
from .deep_forward import Cache, LinearCache, check
from .layers import cross_entropy_gradient, linear_gradients

BACKWARD = {"sigmoid": dnn_utils.sigmoid_backward, "relu": dnn_utils.relu_backward}


def linear_backward(dZ: ArrayLike, cache: LinearCache) -> tuple[Array, Array, Array]:
    """Return dA_prev = Wᵀ dZ, dW = dZ A_prevᵀ / m and db = Σ dZ / m.

    Parameters
    ----------
    dZ : array_like, (n, m)
        The gradient by Z.
    cache : tuple
        (A_prev, W, b) of the layer.

    Returns
    -------
    dA_prev, dW, db : ndarray, (n_prev, m), (n, n_prev), (n, 1)

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    return _linear_backward(dZ, cache, wanted=True)


def _linear_backward(
    dZ: ArrayLike, cache: LinearCache, *, wanted: bool
) -> tuple[Array, Array, Array]:
    """As `linear_backward`; with wanted=False without dA_prev (then empty)."""
    dZ, A_prev, W = as_matrix("dZ", dZ), as_matrix("A_prev", cache[0]), as_matrix("W", cache[1])
    check_shape("W", W, (None, len(A_prev)), f"one column for each row of A_prev, {A_prev.shape}")
    rule = f"by the rows of W, {W.shape}, and the columns of A_prev, {A_prev.shape}"
    check_shape("dZ", dZ, (len(W), A_prev.shape[1]), rule)
    return linear_gradients(dZ, A_prev, W, wanted=wanted)


def linear_activation_backward(
    dA: ArrayLike, cache: Cache, activation: str
) -> tuple[Array, Array, Array]:
    """Return dA_prev, dW and db of a layer A = g(W A_prev + b), from dZ = dA g'(Z).

    Parameters
    ----------
    dA : array_like, (n, m)
        The gradient by A.
    cache : tuple
        ((A_prev, W, b), Z) of the layer.
    activation : {"sigmoid", "relu"}
        The function g.

    Returns
    -------
    dA_prev, dW, db : ndarray, (n_prev, m), (n, n_prev), (n, 1)

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If there is no such activation.
    """
    check(activation)
    return linear_backward(BACKWARD[activation](dA, cache[1]), cache[0])


def L_model_backward(AL: ArrayLike, Y: ArrayLike, caches: Sequence[Cache]) -> dict[str, Array]:
    """Return the gradients of all layers, starting from dAL = −(Y/AL − (1−Y)/(1−AL)).

    Parameters
    ----------
    AL : array_like, (n_y, m)
        Probabilities.
    Y : array_like, (n_y, m)
        Labels.
    caches : list
        ((A_prev, W, b), Z) of each layer, as `L_model_forward` returns them.

    Returns
    -------
    dict
        "dA0" … "dA{L−1}", dAl the gradient by the activations of layer l, and "dW1", "db1", …

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SettingError
        If there are no caches.
    """
    return model_gradients(AL, Y, caches, pixels=True)


def model_gradients(
    AL: ArrayLike, Y: ArrayLike, caches: Sequence[Cache], *, pixels: bool
) -> dict[str, Array]:
    """As `L_model_backward`; with pixels=False without dA0, a third of the work of wide inputs."""
    if not caches:
        raise SettingError("caches must hold one cache for each layer, got none")
    AL, Y = as_matrix("AL", AL), np.asarray(Y)
    if len(AL) == 1 and Y.size == AL.size:
        Y = Y.reshape(AL.shape)  # as the notebook does
    Y = as_targets("Y", Y, AL, f"that of AL, {AL.shape}")
    dA, grads = cross_entropy_gradient(AL, Y), {}
    for layer in range(len(caches), 0, -1):
        linear_cache, Z = caches[layer - 1]
        activation = "sigmoid" if layer == len(caches) else "relu"
        if dA.shape != np.shape(Z):
            raise ShapeError(
                f"Z of cache {layer} must have the shape of dA{layer}, {dA.shape}, got "
                f"{np.shape(Z)}; do AL, Y and the caches come from one forward pass?"
            )
        dZ = BACKWARD[activation](dA, Z)
        wanted = pixels or layer > 1
        dA, dW, db = _linear_backward(dZ, linear_cache, wanted=wanted)
        if wanted:
            grads[f"dA{layer - 1}"] = dA
        grads[f"dW{layer}"], grads[f"db{layer}"] = dW, db
    return grads
