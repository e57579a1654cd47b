"""Models of Keras taken over: a list of Dense weights, or the model itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.layers import BatchNorm, Dropout, GaussianNoise
from fastnn.network import Network

from .assembly import Assembly, no_counterpart
from .keras_graph import chain, check_flat_inputs, is_model, title, weights
from .settings import LayerRule, check_settings, library_class, overridden_method

#: Keras's names of activations; its leaky_relu has slope 0.2, ours 0.01, so it is not among them.
NAMES = {
    **{name: name for name in ("sigmoid", "tanh", "relu", "softmax", "elu", "selu", "gelu")},
    **{name: name for name in ("silu", "softplus", "mish")},
    "linear": "identity",
    "identity": "identity",
    "swish": "silu",
    "exponential": "exp",
}
#: Names of the base class, and of what acts on training only.
COMMON = "name trainable dtype activity_regularizer"
#: What is taken of Keras, and under which settings. Rows have their features on axis 1, which
#: Keras 2 holds as a list.
LAYERS = {
    "Dense": LayerRule(
        read="units activation use_bias",
        needed={"lora_rank": (None,), "quantization_config": (None,)},
        free=f"kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
        f"kernel_constraint bias_constraint lora_alpha {COMMON}",
    ),
    "Activation": LayerRule(read="activation", free=COMMON),
    "BatchNormalization": LayerRule(
        read="momentum epsilon center scale",
        needed={"axis": (-1, 1, [1]), "renorm": (False,)},
        free="beta_initializer gamma_initializer moving_mean_initializer "
        "moving_variance_initializer beta_regularizer gamma_regularizer beta_constraint "
        f"gamma_constraint renorm_clipping renorm_momentum synchronized {COMMON}",
    ),
    "Dropout": LayerRule(read="rate", needed={"noise_shape": (None,)}, free=f"seed {COMMON}"),
    "GaussianNoise": LayerRule(read="stddev", free=f"seed {COMMON}"),
    "Flatten": LayerRule(needed={"data_format": ("channels_last", None)}, free=COMMON),
    "ReLU": LayerRule(
        needed={"max_value": (None,), "negative_slope": (0, None), "threshold": (0,)}, free=COMMON
    ),
    "LeakyReLU": LayerRule(
        # Keras 2 has rounded it to float32.
        needed={"negative_slope": (0.01,), "alpha": (0.01, float(np.float32(0.01)))},
        free=COMMON,
    ),
    "ELU": LayerRule(needed={"alpha": (1,)}, free=COMMON),
    "Softmax": LayerRule(needed={"axis": (-1, 1)}, free=COMMON),
    "InputLayer": LayerRule(),
}
FUNCTIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}
KNOWN = f"Sequential and functional chains of {', '.join(LAYERS)}"
#: Where Keras 3 and 2 define their layers.
HOMES = ("keras.src.layers.", "keras.layers.", "tf_keras.src.layers.")


def from_keras(model: Any, *, activations: Sequence[str] | None = None) -> Network:
    """Return a network with the predictions of a Keras model of Dense layers.

    Parameters
    ----------
    model : Keras model, or list of arrays
        A Sequential or functional model whose calls are one chain, models within it included; a
        layer that is called several times is taken as often, with weights of its own. Or what
        ``get_weights()`` returns of Dense layers with biases only: ``[W1, b1, W2, b2, …]``,
        W (n_in, n_out) and b (n_out,).
    activations : sequence of str, optional
        For a list: the activation of each Dense layer, from input to output.

    Returns
    -------
    Network
        float32, or float64 where the weights are; numbers of 16 bits are widened.

    Raises
    ------
    SettingError
        If a layer, a setting of it or an activation has no counterpart, or the model is no chain
        (what is in the way is named), or there is another number of activations than layers.
    NotBuiltError
        If a layer has no weights yet.
    ShapeError, DataError
        If shapes do not follow one another, or weights are not finite real numbers.

    Examples
    --------
    >>> net = fastnn.from_keras(model.get_weights(), activations=["relu", "softmax"])
    """
    assembly = Assembly()
    if is_model(model) or hasattr(model, "layers"):
        if activations is not None:
            raise SettingError("activations are for a list of weights; the model has its own")
        layers = chain(model)
        for layer in layers:
            _base(layer)
        check_flat_inputs(model, layers)
        for layer in layers:
            _append_layer(assembly, layer)
        return assembly.network("the Keras model")
    if isinstance(model, str) or not isinstance(model, Iterable):
        raise SettingError(
            "from_keras takes a Keras model, as keras.saving.load_model gives, or what its "
            f"get_weights() returns; got {type(model).__name__}"
        )
    arrays = list(model)
    names = arguments.as_list(activations, "activations", "['relu', 'softmax']")
    if len(arrays) % 2 or len(names) != len(arrays) // 2:
        raise SettingError(
            f"weights must be W and b by turns, with one activation for each pair; got "
            f"{len(arrays)} arrays and {len(names)} activations"
        )
    for place, name in enumerate(names):
        assembly.dense(arrays[2 * place], arrays[2 * place + 1], f"layer {place + 1}")
        assembly.activate(_activation_name(name, f"layer {place + 1}"))
    return assembly.network("the list of weights")


def _activation_name(name: Any, layer: str) -> str:
    """Return our name of an activation of Keras."""
    if not isinstance(name, str) or name not in NAMES:
        raise SettingError(
            f"activation {name!r} of {layer} has no counterpart in fastnn; it takes Keras's "
            f"{', '.join(NAMES)}"
        )
    return NAMES[name]


def _base(layer: Any) -> Any:
    """Return the class of Keras that a layer is of, which must be one that is taken."""
    base, name = library_class(layer, HOMES), title(layer)
    if base is None or base.__name__ not in LAYERS:
        raise no_counterpart(f"{name} ({type(layer).__module__})", "Keras", KNOWN)
    if overridden_method(layer, base, ("call", "__call__")):
        raise SettingError(f"{name} has a call of its own, which from_keras cannot read")
    return base


def _append_layer(assembly: Assembly, layer: Any) -> None:
    """Append one layer of a Keras model."""
    base, name = _base(layer), title(layer)
    kind = base.__name__
    if kind == "InputLayer":
        return
    if getattr(layer, "quantization_mode", None):
        raise SettingError(
            f"{name} is quantised ({layer.quantization_mode}); give the model as it was before "
            "quantize()"
        )
    check_settings(LAYERS[kind], base, layer, name)
    if kind == "Dense":
        arrays = weights(layer, 1 + layer.use_bias)
        assembly.dense(arrays[0], arrays[1] if layer.use_bias else None, name)
    elif kind == "BatchNormalization":
        _append_norm(assembly, layer, name)
    elif kind == "Dropout":
        if not 0 <= layer.rate < 1:
            raise SettingError(f"{name} has rate={layer.rate}; fastnn's Dropout needs less than 1")
        assembly.append(Dropout(layer.rate))
    elif kind == "GaussianNoise":
        assembly.append(GaussianNoise(layer.stddev))
    elif kind in FUNCTIONS:
        assembly.activate(FUNCTIONS[kind])
    if kind in ("Dense", "Activation"):
        _activate(assembly, layer.activation, name)


def _activate(assembly: Assembly, function: Any, name: str) -> None:
    """Append an activation, which Keras holds as one of its functions or as a layer.

    `keras.ops` has functions of the same names, of which gelu is another one.
    """
    if library_class(function, HOMES) is not None:
        _append_layer(assembly, function)
        return
    home, called = getattr(function, "__module__", ""), getattr(function, "__name__", function)
    known = ("keras.src.activations", "keras.activations", "tf_keras.src.activations")
    if not str(home).startswith(known):
        raise SettingError(
            f"activation {called} of {name} comes from {home}, which from_keras does not know; it "
            f"takes those of keras.activations: {', '.join(NAMES)}"
        )
    assembly.activate(_activation_name(called, name))


def _append_norm(assembly: Assembly, layer: Any, name: str) -> None:
    """Append a BatchNormalization: γ and β where it has them, mean and variance."""
    keys = ["gamma"] * layer.scale + ["beta"] * layer.center + ["mean", "variance"]
    numbers = dict(zip(keys, weights(layer, len(keys)), strict=True))
    if not (0 <= layer.momentum < 1 and layer.epsilon > 0):
        raise SettingError(
            f"{name} has momentum={layer.momentum} and epsilon={layer.epsilon}; fastnn's BatchNorm "
            "needs a momentum below 1 and a positive epsilon"
        )
    assembly.norm(BatchNorm(layer.momentum, layer.epsilon), numbers, name)
