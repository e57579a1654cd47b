"""The course's update rules, one step each: gradient descent, momentum, Adam."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from fastnn._runtime.backend import active
from fastnn.kernels.opcodes import Method
from fastnn.kernels.records import StepNumbers

from .arrays import Array, Parameters, as_matrix, check_shape, count_layers, get_entry
from .checks import check_beta, check_count
from .editions import LATEST, is_older
from .layers import quiet
from .layers import update_parameters as _update


def update_parameters_with_gd(
    parameters: Mapping[str, ArrayLike], grads: Mapping[str, ArrayLike], learning_rate: float
) -> Parameters:
    """Take one step of gradient descent, W ← W − α dW and b ← b − α db.

    Parameters
    ----------
    parameters : dict
        W1, b1, W2, b2, …; left as they are.
    grads : dict
        dW1, db1, … of the same shapes.
    learning_rate : float
        α.

    Returns
    -------
    dict
        The new W1, b1, …

    Raises
    ------
    SettingError
        If an array is missing.
    ShapeError
        If a gradient has another shape than its parameter.
    """
    return _update(parameters, grads, learning_rate)


def _names(parameters: Mapping[str, ArrayLike]) -> list[str]:
    """Name the parameters, W1, b1, …, having checked that all are there."""
    L = count_layers(parameters)
    return [f"{letter}{layer}" for layer in range(1, L + 1) for letter in "Wb"]


def _zeros(parameters: Mapping[str, ArrayLike]) -> Parameters:
    """Return zeros dW1, db1, … of the shapes of the parameters."""
    shapes = {key: as_matrix(key, parameters[key]).shape for key in _names(parameters)}
    return {f"d{key}": np.zeros(shape) for key, shape in shapes.items()}


def _fitting(name: str, mapping: Mapping[str, ArrayLike], key: str, array: Array) -> Array:
    """Return mapping["d" + key], which must have the shape of the parameter `array`."""
    found = as_matrix(f"d{key} of {name}", get_entry(name, mapping, f"d{key}"))
    check_shape(f"d{key} of {name}", found, (array.shape[0], array.shape[1]), f"that of {key}")
    return found


def initialize_velocity(parameters: Mapping[str, ArrayLike]) -> Parameters:
    """Return velocities of zero.

    Parameters
    ----------
    parameters : dict
        W1, b1, W2, b2, …

    Returns
    -------
    dict
        dW1, db1, …, zeros of the parameters' shapes.

    Raises
    ------
    SettingError
        If a parameter is missing.
    """
    return _zeros(parameters)


@quiet
def update_parameters_with_momentum(
    parameters: Mapping[str, ArrayLike],
    grads: Mapping[str, ArrayLike],
    v: Mapping[str, ArrayLike],
    beta: float,
    learning_rate: float,
) -> tuple[Parameters, Parameters]:
    """Take one step of gradient descent with momentum: v ← βv + (1−β)g, θ ← θ − αv.

    Parameters
    ----------
    parameters, grads : dict
        As for `update_parameters_with_gd`.
    v : dict
        dW1, db1, …: the velocities; left as they are.
    beta : float
        β, from 0 (plain gradient descent) to below 1.
    learning_rate : float
        α.

    Returns
    -------
    parameters, v : dict
        The new ones.

    Raises
    ------
    SettingError
        If an array is missing or β lies outside its range.
    ShapeError
        If a gradient or velocity has another shape than its parameter.
    """
    beta = check_beta("beta", beta)
    moved, velocity = {}, {}
    for key in _names(parameters):
        moved[key] = as_matrix(key, parameters[key]).copy()
        velocity[f"d{key}"] = _fitting("v", v, key, moved[key]).copy()
        gradient = _fitting("grads", grads, key, moved[key])
        slots = velocity[f"d{key}"].reshape(1, -1)
        numbers = StepNumbers(1, float(learning_rate), gain=1 - beta, beta1=beta)
        step = active().methods[Method.MOMENTUM]
        step(moved[key].reshape(-1), gradient.reshape(-1), slots, numbers)
    return moved, velocity


def initialize_adam(parameters: Mapping[str, ArrayLike]) -> tuple[Parameters, Parameters]:
    """Return averages of zero, of the gradients and of their squares.

    Parameters
    ----------
    parameters : dict
        W1, b1, W2, b2, …

    Returns
    -------
    v, s : dict
        dW1, db1, … each, zeros of the parameters' shapes.

    Raises
    ------
    SettingError
        If a parameter is missing.
    """
    return _zeros(parameters), _zeros(parameters)


@quiet
def update_parameters_with_adam(
    parameters: Mapping[str, ArrayLike],
    grads: Mapping[str, ArrayLike],
    v: Mapping[str, ArrayLike],
    s: Mapping[str, ArrayLike],
    t: int,
    learning_rate: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    *,
    edition: int = LATEST,
) -> tuple[Parameters, ...]:
    """Take one step of Adam, the t-th: θ ← θ − α v̂ / (√ŝ + ε), ε outside the root.

    v ← β₁v + (1−β₁)g, s ← β₂s + (1−β₂)g², v̂ = v / (1 − β₁ᵗ), ŝ = s / (1 − β₂ᵗ).

    Parameters
    ----------
    parameters, grads : dict
        As for `update_parameters_with_gd`.
    v, s : dict
        dW1, db1, …: the averages of the gradients and of their squares; left as they are.
    t : int
        Steps taken, this one included: from 1 on.
    learning_rate, beta1, beta2, epsilon : float
        α, β₁, β₂ (from 0 to below 1) and ε.
    edition : int
        2021, or 2017 for the notebooks of 2017 to 2020, which unpack three values.

    Returns
    -------
    parameters, v, s : dict
        The new ones.
    v_corrected, s_corrected : dict
        v̂ and ŝ; not with edition=2017.

    Raises
    ------
    SettingError
        If an array is missing, t, β₁ or β₂ lies outside its range, or there is no such edition.
    ShapeError
        If a gradient or average has another shape than its parameter.
    """
    older = is_older(edition)
    t, beta1, beta2 = check_count("t", t), check_beta("beta1", beta1), check_beta("beta2", beta2)
    numbers = StepNumbers(t, float(learning_rate), beta1=beta1, beta2=beta2, epsilon=float(epsilon))
    moved, new_v, new_s = {}, {}, {}
    for key in _names(parameters):
        moved[key] = as_matrix(key, parameters[key]).copy()
        new_v[f"d{key}"] = _fitting("v", v, key, moved[key]).copy()
        new_s[f"d{key}"] = _fitting("s", s, key, moved[key]).copy()
        gradient = _fitting("grads", grads, key, moved[key])
        averages = new_v[f"d{key}"], new_s[f"d{key}"]
        slots = np.stack([average.reshape(-1) for average in averages])
        step = active().methods[Method.ADAM]
        step(moved[key].reshape(-1), gradient.reshape(-1), slots, numbers)
        for average, slot in zip(averages, slots, strict=True):
            average[...] = slot.reshape(average.shape)
    if older:
        return moved, new_v, new_s
    v_hat = {key: array / (1 - beta1**t) for key, array in new_v.items()}
    s_hat = {key: array / (1 - beta2**t) for key, array in new_s.items()}
    return moved, new_v, new_s, v_hat, s_hat
