"""The layers of a Keras model in the order in which it applies them, if they are a chain."""

from __future__ import annotations

from typing import Any

from fastnn.errors import NotBuiltError, SettingError

from .settings import library_class, overridden_method

#: Where Keras 3 and 2 define their models.
MODELS = ("keras.src.models.", "keras.src.engine.", "tf_keras.src.engine.")
LIST = "give from_keras its get_weights() and activations if it is a list of Dense layers"


def is_model(layer: Any) -> bool:
    """Tell whether a layer is a model of layers itself."""
    return library_class(layer, MODELS) is not None


def title(layer: Any) -> str:
    """Return how errors call a layer: its class and name."""
    return f"{type(layer).__name__} {getattr(layer, 'name', '')!r}"


def chain(model: Any) -> list[Any]:
    """Return the layers of a model from input to output, those of models within it in their place.

    A Sequential is its list; of a functional model the calls are followed back from its output.

    Raises
    ------
    SettingError
        If the model is no chain, or runs code of its own: what is in the way is named.
    """
    base = library_class(model, MODELS)
    kind = "" if base is None else base.__name__
    if kind not in ("Sequential", "Functional") or overridden_method(
        model, base, ("call", "__call__")
    ):
        raise SettingError(
            f"{title(model)} is no Sequential and no functional model, but has a call of its own, "
            f"which from_keras cannot read; {LIST}"
        )
    layers = model.layers if kind == "Sequential" else _calls(model)
    nested = [chain(layer) if is_model(layer) else [layer] for layer in layers]
    return [layer for part in nested for layer in part]


def _calls(model: Any) -> list[Any]:
    """Return the layers that a functional model calls, from input to output."""
    for ends, name in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        if len(ends) != 1:
            raise SettingError(
                f"{title(model)} has {len(ends)} {name}; from_keras takes a chain of layers, with "
                "one input and one output"
            )
    found = []
    tensor = model.outputs[0]
    while tensor is not model.inputs[0]:
        layer, call = tensor._keras_history[:2]
        node = layer._inbound_nodes[call]
        if not hasattr(node, "arguments"):
            raise SettingError(f"{title(model)} is a functional model of Keras 2; {LIST}")
        _check_call(layer, node.arguments)
        found.append(layer)
        tensor = node.arguments.keras_tensors[0]
    return found[::-1]


def _check_call(layer: Any, arguments: Any) -> None:
    """Refuse a call with more than one tensor, or with an argument that changes what it computes.

    Such are a mask, and ``training=True``, which Keras obeys in predictions, too.
    """
    tensors = arguments.keras_tensors
    given = {**dict(enumerate(arguments.args)), **arguments.kwargs}
    extra = {k: v for k, v in given.items() if not any(v is x for x in (None, False, *tensors))}
    if len(tensors) == 1 and not extra:
        return
    told = ", ".join(f"{k}={v!r}" for k, v in extra.items())
    if len(tensors) != 1:
        told = f"{len(tensors)} tensors"
    raise SettingError(
        f"{title(layer)} is called with {told}; from_keras takes a chain of layers, each called "
        "with what the one before it gives and nothing else"
    )


def check_flat_inputs(model: Any, layers: list[Any]) -> None:
    """Refuse a model whose layers work on more than rows (m, n) before anything flattens them."""
    shape = getattr(model, "input_shape", None)
    first = next((x for x in layers if type(x).__name__ != "InputLayer"), None)
    if isinstance(shape, tuple) and len(shape) > 2 and type(first).__name__ != "Flatten":
        raise SettingError(
            f"{title(model)} takes inputs of shape {shape} and its first layer is no Flatten; "
            "fastnn's layers take rows (m, n)"
        )


def weights(layer: Any, count: int) -> list[Any]:
    """Return the arrays of a layer, which must be that many."""
    found = list(layer.get_weights())
    if not found:
        raise NotBuiltError(f"{title(layer)} has no weights yet; call the model's build or fit")
    if len(found) != count:
        shapes = [getattr(array, "shape", None) for array in found]
        raise SettingError(
            f"{title(layer)} holds {len(found)} arrays of shapes {shapes}, where a plain layer "
            f"holds {count}"
        )
    return found
