"""A network of relu layers and a last sigmoid layer: the arithmetic that course 2 shares.

Checks are made at the doors, `as_layers` and `read_cache`; between them arrays fit together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import SettingError

from .arrays import (
    Array,
    Parameters,
    as_matrix,
    as_outputs,
    as_targets,
    check_shape,
    count_layers,
    layer_parameters,
)
from .layers import activate, activation_backward, linear, linear_gradients, quiet

Layers = list[tuple[Array, Array]]
Cache = tuple[NDArray[Any], ...]


def as_layers(X: ArrayLike, parameters: Mapping[str, ArrayLike]) -> tuple[Array, Layers]:
    """Return X (n_x, m) and (W, b) of each layer, each fitting the one before."""
    X = as_matrix("X", X)
    layers: Layers = []
    n, source = len(X), f"X, {X.shape}"
    for layer in range(1, count_layers(parameters) + 1):
        W = as_matrix(f"W{layer}", parameters[f"W{layer}"])
        check_shape(f"W{layer}", W, (None, n), f"one column for each row of {source}")
        layers.append(layer_parameters(parameters, layer))
        n, source = len(W), f"W{layer}, {W.shape}"
    return X, layers


def as_examples(X: ArrayLike, Y: ArrayLike) -> tuple[Array, Array]:
    """Return X (n_x, m) and Y (1, m)."""
    X, Y = as_matrix("X", X), as_matrix("Y", Y)
    check_shape("Y", Y, (1, X.shape[1]), f"one label for each column of X, {X.shape}")
    return X, Y


@quiet
def forward(
    X: Array, layers: Layers, masks: Sequence[NDArray[Any]] = (), keep_prob: float = 1.0
) -> tuple[list[Array], list[Array]]:
    """Return [Z1 … ZL] and [X, A1 … AL]; with masks, A = relu(Z) D / keep_prob but in the last."""
    Z, A = [], [X]
    for k, (W, b) in enumerate(layers):
        Z.append(linear(A[-1], W, b))
        A.append(activate("relu" if k < len(layers) - 1 else "sigmoid", Z[-1]))
        if k < len(masks):
            A[-1] *= masks[k]
            A[-1] /= keep_prob
    return Z, A


@quiet
def backward(
    A: Sequence[Array],
    W: Sequence[Array],
    dZ: Array,
    *,
    lambd: float = 0.0,
    masks: Sequence[NDArray[Any]] = (),
    keep_prob: float = 1.0,
) -> Parameters:
    """Return dZ, dW, db of every layer and dA of the hidden ones, from dZ (n_L, m) of the last.

    A holds X, A1 … A{L−1}; W holds W1 … WL. dW = dZ A_prevᵀ / m + λ/m W, db = Σ dZ / m.
    """
    grads: Parameters = {}
    for layer in range(len(W), 0, -1):
        A_prev, m = A[layer - 1], dZ.shape[1]
        dA, dW, db = linear_gradients(dZ, A_prev, W[layer - 1], wanted=layer > 1)
        if lambd:
            dW += lambd / m * W[layer - 1]
        grads |= {f"dZ{layer}": dZ, f"dW{layer}": dW, f"db{layer}": db}
        if layer > 1:
            if masks:
                dA *= masks[layer - 2]
                dA /= keep_prob
            grads[f"dA{layer - 1}"] = dA
            dZ = activation_backward("relu", dA, A_prev)
    return grads


def as_cache(
    layers: Layers, Z: list[Array], A: list[Array], masks: Sequence[NDArray[Any]] = ()
) -> Cache:
    """Return Z1, (D1,) A1, W1, b1, Z2, … as the notebooks pack them; A begins with X."""
    cache: list[NDArray[Any]] = []
    for k, (W, b) in enumerate(layers):
        cache += [Z[k], *masks[k : k + 1], A[k + 1], W, b]
    return tuple(cache)


def read_cache(
    X: ArrayLike, Y: ArrayLike, cache: Sequence[ArrayLike], *, dropout: bool = False
) -> tuple[list[Array], list[Array], Array, list[Array]]:
    """Return [X, A1 … A{L−1}], [W1 … WL], A_L − Y and, with dropout, [D1 … D{L−1}], checked."""
    held = 5 if dropout else 4
    L, rest = divmod(len(cache) + dropout, held)
    if not L or rest:
        names = "Z, D, A, W, b of each layer (no D in the last)" if dropout else "Z, A, W, b"
        raise SettingError(f"cache must hold {names} in turn, got {len(cache)} arrays")
    X = as_matrix("X", X)
    A, W, masks = [X], [], []
    for layer in range(1, L + 1):
        part = cache[held * (layer - 1) : held * layer]
        weights = as_matrix(f"W{layer}", part[-2])
        source = f"A{layer - 1}" if layer > 1 else "X"
        rule = f"one column for each row of {source}, {A[-1].shape}"
        check_shape(f"W{layer}", weights, (None, len(A[-1])), rule)
        W.append(weights)
        rule, shape = f"by W{layer}, {weights.shape}, and X, {X.shape}", (len(weights), X.shape[1])
        A.append(as_matrix(f"A{layer}", part[-3]))
        check_shape(f"A{layer}", A[-1], shape, rule)
        if dropout and layer < L:
            masks.append(as_matrix(f"D{layer}", part[1]))
            check_shape(f"D{layer}", masks[-1], shape, rule)
    AL = A.pop()
    return A, W, _error(AL, as_targets("Y", Y, AL, f"that of A{L}, {AL.shape}")), masks


@quiet
def _error(AL: Array, Y: Array) -> Array:
    """Return dZ = A − Y.   All (n_L, m)."""
    return AL - Y


@quiet
def losses(A: ArrayLike, Y: ArrayLike, name: str = "a3") -> Array:
    """Return −(y log a + (1−y) log(1−a)) of every label, inf or nan where a is 0 or 1."""
    A = as_outputs(name, A)
    Y = as_targets("Y", Y, A, f"that of {name}, {A.shape}")
    each: Array = -(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    return each


def mean_loss(A: ArrayLike, Y: ArrayLike, name: str = "a3") -> float:
    """Return 1/m Σ of the losses that are numbers: 0 log 0, a nan, counts as nothing."""
    each = losses(A, Y, name)
    return float(np.nansum(each) / each.shape[1])
