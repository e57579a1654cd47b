"""Arrays as the notebooks hand them in: brought to float64 in C order, their shapes checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import DataError, SettingError, ShapeError

Array = NDArray[np.float64]
Parameters = dict[str, Array]


def as_float64(name: str, value: ArrayLike) -> Array:
    """Return `value` as float64 in C order, of any shape; no copy where it already is."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of unequal length
        raise DataError(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64, order="C")


def as_matrix(name: str, value: ArrayLike) -> Array:
    """Return `value` as a matrix (n, m); a single number is (1, 1)."""
    array = as_float64(name, value)
    if array.ndim == 0:
        return array.reshape(1, 1)
    if array.ndim == 2:
        return array
    mend = f"pass {name}.reshape(1, -1) for a row or {name}.reshape(-1, 1) for a column"
    if array.ndim > 2:
        mend = f"flatten each example into a column: {name}.reshape(len({name}), -1).T"
    raise ShapeError(f"{name} must have two axes, (rows, columns), got shape {array.shape}; {mend}")


def check_shape(
    name: str, array: NDArray[Any], shape: tuple[int | None, int | None], why: str
) -> None:
    """Check that array (n, m) has `shape`, in which None fits anything; `why` states the rule."""
    pairs = list(zip(shape, array.shape, strict=True))
    if all(want is None or want == got for want, got in pairs):
        return
    wanted = ", ".join("any" if want is None else str(want) for want in shape)
    flipped = zip(shape, array.shape[::-1], strict=True)
    mend = "columns are examples; was another layer's or another set's array passed?"
    if all(want is None or want == got for want, got in flipped):
        mend = f"rows and columns are swapped: pass {name}.T"
    raise ShapeError(f"{name} must have shape ({wanted}), {why}, got {array.shape}; {mend}")


def as_bias(name: str, value: ArrayLike, n: int, why: str) -> Array:
    """Return a bias as a column (n, 1); a single number serves every unit."""
    if np.ndim(value) == 0:
        return np.full((n, 1), as_float64(name, value))
    column = as_matrix(name, value)
    check_shape(name, column, (n, 1), why)
    return column


def as_outputs(name: str, value: ArrayLike) -> Array:
    """Return outputs (n_y, m); those of a single unit may come flat, (m,)."""
    array = as_float64(name, value)
    return array.reshape(1, -1) if array.ndim == 1 else as_matrix(name, array)


def as_targets(name: str, value: ArrayLike, outputs: Array, rule: str) -> Array:
    """Return labels of the shape of the outputs (n_y, m) they belong to; one row may come flat.

    `rule` says in errors where that shape comes from.
    """
    Y = as_outputs(name, value) if len(outputs) == 1 else as_matrix(name, value)
    check_shape(name, Y, (outputs.shape[0], outputs.shape[1]), rule)
    return Y


def get_entry(name: str, mapping: Mapping[str, Any], key: str) -> Any:
    """Return mapping[key], or say which key is missing from which argument."""
    _check_mapping(name, mapping)
    try:
        return mapping[key]
    except KeyError:
        held = ", ".join(map(str, mapping)) or "nothing"
        raise SettingError(f"{name} must hold {key!r}; it holds {held}") from None


def _check_mapping(name: str, value: Any) -> None:
    """Check that a value is a dict of arrays by name."""
    if isinstance(value, Mapping):
        return
    mend = "pass the dict that the notebook's functions return"
    if isinstance(value, tuple) and value and isinstance(value[0], Mapping):
        mend = (
            "it begins with one: the models of the 2021 edition return two values, so write "
            "parameters, costs = L_layer_model(…), or pass edition=2017 to the model"
        )
    raise SettingError(f"{name} must be a dict of arrays, got a {type(value).__name__}; {mend}")


def count_layers(parameters: Mapping[str, Any]) -> int:
    """Return L, having checked that W1, b1, …, WL, bL are all there."""
    _check_mapping("parameters", parameters)
    L = (len(parameters) + 1) // 2
    for layer in range(1, max(L, 1) + 1):
        for letter in "Wb":
            get_entry("parameters", parameters, f"{letter}{layer}")
    return L


def layer_parameters(parameters: Mapping[str, ArrayLike], layer: int) -> tuple[Array, Array]:
    """Return W (n, n_prev) and b (n, 1) of a layer, counted from 1."""
    W = as_matrix(f"W{layer}", get_entry("parameters", parameters, f"W{layer}"))
    rule = f"one row for each of W{layer}, {W.shape}"
    return W, as_bias(f"b{layer}", get_entry("parameters", parameters, f"b{layer}"), len(W), rule)
