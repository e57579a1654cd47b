"""Models of Keras taken over: a list of Dense weights, or the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import _check
from fastnn.errors import SettingError
from fastnn.layers import BatchNorm, Dropout, GaussianNoise
from fastnn.network import Network

from .assembly import Assembly, unsupported

#: Keras's names of activations; its leaky_relu has slope 0.2, ours 0.01, so it is not among them.
NAMES = {
    **{name: name for name in ("sigmoid", "tanh", "relu", "softmax", "elu", "selu", "gelu")},
    **{name: name for name in ("silu", "softplus", "mish")},
    "linear": "identity",
    "identity": "identity",
    "swish": "silu",
}
KNOWN = (
    "Dense, Activation, ReLU, Softmax, ELU, LeakyReLU (slope 0.01), BatchNormalization, Dropout, "
    "GaussianNoise, Flatten, InputLayer"
)


def from_keras(model: Any, *, activations: Sequence[str] | None = None) -> Network:
    """Return a network with the predictions of a Keras model of Dense layers.

    Parameters
    ----------
    model : Keras model, or list of arrays
        A Sequential model; or what its ``get_weights()`` returns where it has Dense layers with
        biases only: ``[W1, b1, W2, b2, …]``, W (n_in, n_out) and b (n_out,).
    activations : sequence of str, optional
        For a list: the activation of each Dense layer, from input to output.

    Returns
    -------
    Network
        float32, or float64 where the weights are.

    Raises
    ------
    SettingError
        If a layer or an activation has no counterpart (it is named), or there is another number
        of activations than layers.
    ShapeError, DataError
        If shapes do not follow one another, or weights are not finite.

    Examples
    --------
    >>> net = fastnn.from_keras(model.get_weights(), activations=["relu", "softmax"])
    """
    made = Assembly()
    if hasattr(model, "layers") and hasattr(model, "get_weights"):
        if activations is not None:
            raise SettingError("activations are for a list of weights; the model has its own")
        for layer in model.layers:
            _take(made, layer)
        return made.network("the Keras model")
    arrays = _check.several(model, "weights", "[W1, b1, W2, b2]")
    names = _check.several(activations, "activations", "['relu', 'softmax']")
    if len(arrays) % 2 or len(names) != len(arrays) // 2:
        raise SettingError(
            f"weights must be W and b by turns, with one activation for each pair; got "
            f"{len(arrays)} arrays and {len(names)} activations"
        )
    for place, name in enumerate(names):
        made.dense(arrays[2 * place], arrays[2 * place + 1], f"layer {place + 1}")
        made.activate(_named(name, f"layer {place + 1}"))
    return made.network("the list of weights")


def _named(name: Any, layer: str) -> str:
    """Return our name of an activation of Keras."""
    if name not in NAMES:
        raise SettingError(
            f"activation {name!r} of Keras layer {layer} has no counterpart in fastnn; it takes "
            f"{', '.join(NAMES)}"
        )
    return NAMES[name]


def _take(made: Assembly, layer: Any) -> None:
    """Append one layer of a Keras model."""
    kind, config = type(layer).__name__, layer.get_config()
    name = repr(config.get("name", kind))
    numbers = [np.asarray(array) for array in layer.get_weights()]
    if kind == "Dense":
        made.dense(numbers[0], numbers[1] if config.get("use_bias", True) else None, name)
        made.activate(_named(config["activation"], name))
    elif kind == "Activation":
        made.activate(_named(config["activation"], name))
    elif kind == "BatchNormalization":
        made.append(*_norm(config, numbers))
    elif kind == "Dropout":
        made.append(Dropout(config["rate"]))
    elif kind == "GaussianNoise":
        made.append(GaussianNoise(config["stddev"]))
    elif kind in ("ReLU", "Softmax", "ELU", "LeakyReLU"):
        made.activate(_function(kind, config, name))
    elif kind not in ("Flatten", "InputLayer"):
        raise unsupported(f"{kind} {name}", "Keras", KNOWN)


def _function(kind: str, config: dict[str, Any], name: str) -> str:
    """Return our name of an activation layer, whose settings must be those we have."""
    slope = config.get("negative_slope", config.get("alpha", 0.0 if kind == "ReLU" else None))
    plain = not config.get("max_value") and not config.get("threshold")
    fits = {
        "ReLU": plain and slope in (0, None),
        "Softmax": config.get("axis", -1) in (-1, 1),
        "ELU": config.get("alpha", 1) == 1,
        "LeakyReLU": slope is not None and abs(slope - 0.01) < 1e-8,
    }
    if not fits[kind]:
        raise unsupported(f"{kind} {name} with {config}", "Keras", KNOWN)
    return {"ReLU": "relu", "Softmax": "softmax", "ELU": "elu", "LeakyReLU": "leaky_relu"}[kind]


def _norm(config: dict[str, Any], numbers: list[Any]) -> tuple[BatchNorm, dict[str, Any]]:
    """Return a BatchNorm and its arrays (n,): γ and β where it has them, then mean and variance."""
    values = iter(numbers)
    gamma = next(values) if config.get("scale", True) else np.ones_like(numbers[-1])
    beta = next(values) if config.get("center", True) else np.zeros_like(numbers[-1])
    mean, variance = values
    layer = BatchNorm(config.get("momentum", 0.99), config.get("epsilon", 1e-3))
    return layer, {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
