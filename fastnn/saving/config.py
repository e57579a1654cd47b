"""Config: networks, optimisers and schedules as plain data, and back by their constructors."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, get_args, get_type_hints

import numpy as np

from fastnn import initializers, losses, optimizers, schedules
from fastnn.errors import SettingError
from fastnn.layers import Layer
from fastnn.training.state import NetworkState

from .bounded_json import parse, shown
from .own_classes import check_restorable, is_own, subclasses
from .safetensors import TensorFile

LAYERS = {kind.__name__: kind for kind in get_args(Layer)}
INITIALIZERS = {"Random": initializers.Random}
LOSSES = {kind.__name__: kind for kind in (*losses.KINDS.values(), losses.Registered)}
MOST_LAYERS = 10_000  # each takes a fraction of a millisecond to lay out
#: What to do about a class that a file names and this process does not know.
ADVICE = {
    "schedule": "; define a class of your own before you load the file",
    "optimizer": "; register one of your own before you load the file",
}
SETTINGS = {"layers": list, "inputs": int, "seed": int, "dtype": str}


def optimizer_kinds() -> dict[str, type[optimizers.Optimizer]]:
    """Return the optimisers by the names of their classes, built in or registered."""
    return {**optimizers.KINDS, **optimizers.REGISTERED}


def schedule_kinds() -> dict[str, type[schedules.Schedule]]:
    """Return the schedules by the names of their classes: the built-in ones, then users' own."""
    kinds = [kind for kind in subclasses(schedules.Schedule) if not is_own(kind)]
    known = {kind.__name__: kind for kind in kinds if kind.__module__ == schedules.__name__}
    return {kind.__name__: kind for kind in subclasses(schedules.Schedule)} | known


def to_json(data: Any, what: str) -> str:
    """Return data as JSON that can be read again; `what` is for errors."""
    try:
        text = json.dumps(data, allow_nan=False)
        parse(text)  # what could not be read again must not be written
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(
            f"{what} cannot be saved as data ({error}); use text, finite numbers, lists and tables"
        ) from error
    return text


def network_config(state: NetworkState) -> dict[str, Any]:
    """Return the arguments that `Network` was called with, as config."""
    if len(state.layers) > MOST_LAYERS:
        raise SettingError(
            f"a network of {len(state.layers)} layers cannot be saved; a file holds {MOST_LAYERS}"
        )
    return {
        "layers": [_layer(layer) for layer in state.layers],
        "inputs": state.inputs,
        "loss": loss_config(state.loss),
        "init": _initializer(state.init),
        "seed": state.seed,
        "dtype": state.dtype.name,
        **({"scale_target": True} if state.scale_target else {}),
        **({"precision": state.precision} if state.precision != "float32" else {}),
    }


def loss_config(loss: losses.Loss) -> str | dict[str, Any]:
    """Return a loss as config: its name, or its class and its fields where one is set."""
    if loss.name in losses.KINDS and loss == losses.KINDS[loss.name]():
        return loss.name
    return {"class": type(loss).__name__, **dataclasses.asdict(loss)}


def _layer(layer: Layer) -> dict[str, Any]:
    """Return a layer as config: its class and its fields."""
    kind = type(layer)
    if LAYERS.get(kind.__name__) is not kind:
        raise SettingError(
            f"layer {layer!r} is of a class of your own, which a file cannot hold as data; use "
            f"one of {', '.join(LAYERS)}"
        )
    data = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    if data.get("init") is not None:
        data["init"] = _initializer(data["init"])
    return {"class": kind.__name__, **data}


def _initializer(init: str | initializers.Initializer) -> str | dict[str, Any]:
    """Return an initialiser as config: its name, or its class and its fields."""
    if isinstance(init, str):
        return init
    for name, kind in INITIALIZERS.items():
        if type(init) is kind:
            return {"class": name, **dataclasses.asdict(init)}
    for name, known in initializers.NAMES.items():
        if init is known:
            return name
    raise SettingError(
        f"initialiser {init!r} is code of your own, which a file cannot hold as data; make the "
        "network with a named one or Random(scale) and copy the parameters into it"
    )


def to_config(thing: Any, kinds: Mapping[str, Any], what: str) -> dict[str, Any] | None:
    """Return an optimiser or a schedule as config: its class and what its constructor takes."""
    if thing is None:
        return None
    kind = type(thing)
    if kinds.get(kind.__name__) is not kind:
        raise SettingError(
            f"{what} {thing!r} is of a class that a file cannot hold as data; use one of "
            + ", ".join(kinds)
        )
    if is_own(kind):
        check_restorable(thing, what)
    data = {}
    for name in _hints(kind):
        # Step and Plateau take `factor`, which their base has as a method, and keep another name.
        value = getattr(thing, "multiplier" if name == "factor" else name)
        if isinstance(value, schedules.Schedule):
            value = to_config(value, kinds, what)
        data[name] = value.item() if isinstance(value, np.generic) else value
    return {"class": kind.__name__, **data}


def from_config(file: TensorFile, kinds: Mapping[str, Any], data: Any, what: str) -> Any:
    """Return an object of one of the known classes, made by its ordinary constructor."""
    fields = dict(data) if isinstance(data, dict) else {}
    name = fields.pop("class", None)
    if not isinstance(name, str) or name not in kinds:
        raise file.refuse(
            f"it has the {what} {shown(data)}, and the known ones are {', '.join(kinds)}"
            + ADVICE.get(what, "")
        )
    hints = _hints(kinds[name])
    if isinstance(fields.get("init"), dict):
        fields["init"] = initializer_from_config(file, fields["init"])
    for key, value in fields.items():
        if what == "schedule" and isinstance(value, dict):
            fields[key] = from_config(file, kinds, value, what)
        elif is_own(kinds[name]) and isinstance(value, list):
            fields[key] = tuple(value)
    for key, value in fields.items():
        if key not in hints or not _fits(value, hints[key]):
            raise file.refuse(f"its {what} {name} has {key!r} = {shown(value)}")
    try:
        return kinds[name](**fields)
    except TypeError as error:
        raise file.refuse(f"its {what} {name} lacks a field ({error})") from error
    except OverflowError as error:
        raise file.refuse(f"its {what} {name} has a number beyond float64 ({error})") from error


def _fits(value: Any, hint: type | UnionType) -> bool:
    """Whether a value has the type of a field; whole numbers are numbers."""
    return isinstance(value, hint) or (hint is float and type(value) is int)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of what a class's constructor takes; a class of the user's own checks them."""
    if is_own(kind):
        return dict.fromkeys(inspect.signature(kind).parameters, object)
    hints = get_type_hints(kind.__init__)
    return {name: hints[name] for name in inspect.signature(kind).parameters}


def initializer_from_config(file: TensorFile, data: Any) -> Any:
    """Return an initialiser from its name or its class and fields."""
    return data if isinstance(data, str) else from_config(file, INITIALIZERS, data, "initialiser")


def loss_from_config(file: TensorFile, data: Any) -> Any:
    """Return a loss from its name or its class and fields."""
    return data if isinstance(data, str) else from_config(file, LOSSES, data, "loss")


def network_from_config(file: TensorFile) -> tuple[NetworkState, int]:
    """Return the network that a file's config describes, not built, and its number of features."""
    data = file.table("network")
    scale_target = data.pop("scale_target", False)  # which networks that do not lack
    precision = data.pop("precision", "float32")  # which those lack too
    if set(data) != {*SETTINGS, "init", "loss"}:
        raise file.refuse(f"its description has the keys {shown(sorted(data))}")
    for key, kind in SETTINGS.items():
        if type(data[key]) is not kind:
            raise file.refuse(f"its {key!r} is {shown(data[key])}")
    if len(data["layers"]) > MOST_LAYERS:
        raise file.refuse(f"it has {len(data['layers'])} layers, at most {MOST_LAYERS} can be")
    found = NetworkState.checked(
        [from_config(file, LAYERS, layer, "layer") for layer in data["layers"]],
        loss=loss_from_config(file, data["loss"]),
        init=initializer_from_config(file, data["init"]),
        seed=data["seed"],
        dtype=data["dtype"],
        scale_target=scale_target,
        precision=precision,
    )
    return found, data["inputs"]
