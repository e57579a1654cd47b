"""Model files: a network's description and numbers as plain data; loading never runs code.

The numbers lie in the safetensors layout, one tensor for each entry of `net.parameters` under the
same name, and the learnt input scaling as ``input.shift`` and so on. The description, JSON again,
stands in the header's metadata. History and the optimiser's memory are not saved.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import numpy as np

from . import initializers, losses
from ._tensors import TensorFile, parse, write
from .errors import DataError, FastnnError, ModelFileError, SettingError
from .kernels.opcodes import Kind
from .kernels.steps import moments, statistics
from .layers import Dense, Layer, Normalization
from .lowering import lower
from .program import Program

if TYPE_CHECKING:
    from .network import Network

__all__ = ["load", "read", "save"]

Array = np.ndarray[Any, Any]

FORMAT, VERSION = "fastnn", "1"
LAYERS = {kind.__name__: kind for kind in get_args(Layer)}
INITIALIZERS = {"Random": initializers.Random}
SCALING = ("input.shift", "input.factor", "input.rest")
LOSSES = {kind.__name__: kind for kind in losses.Loss.__subclasses__()}
SETTINGS = {"layers": list, "inputs": int, "seed": int, "dtype": str}


def save(
    network: Network, path: str | os.PathLike[str], *, notes: Mapping[str, Any] | None = None
) -> None:
    """Save a network: layers, settings, parameters and learnt input scaling.

    Parameters
    ----------
    network : Network
        Built, its parameters finite.
    path : str or path
        ``.safetensors`` is the usual ending. A file there is replaced, in one piece: a crash
        leaves the old one or the new one.
    notes : mapping, optional
        Anything that JSON can say, for example the names of the classes; `read` returns it.

    Raises
    ------
    NotBuiltError
        If the network does not know its number of features yet.
    SettingError
        If it has an initialiser or a layer that is no data, or the notes are none.
    DataError
        If a parameter is not finite.
    OSError
        If the file cannot be written. A file that was there before is as it was.
    """
    tensors = dict(network.program.parameters) | _averages(network.program)
    if isinstance(network.layers[0], Normalization) and network._scaled:
        found = statistics(network.program.state, network.program.ops[0])
        tensors |= dict(zip(SCALING, found, strict=True))
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise DataError(f"{name!r} holds numbers that are not finite; net.reset() draws anew")
    write(path, tensors, _metadata(network, notes))


def _averages(program: Program) -> dict[str, Array]:
    """BatchNorm's running averages by name, views of (n,) each."""
    found: dict[str, Array] = {}
    norms = [op for op in program.ops if op["kind"] == Kind.BATCHNORM]
    for number, op in enumerate(norms, start=1):
        found[f"mean{number}"], found[f"variance{number}"] = moments(program.state, op)[:2]
    return found


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network that `save` wrote: same predictions, bit for bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is not a model file, or damaged; the message says where.

    Examples
    --------
    >>> net.save("model.safetensors")
    >>> net = fastnn.load("model.safetensors")
    """
    return read(path)[0]


def read(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Load a network and the notes that were saved with it; raises what `load` raises."""
    with TensorFile(path) as file:
        try:
            return _network(file), _object(file, "notes") if "notes" in file.metadata else {}
        except ModelFileError:
            raise
        except FastnnError as error:
            raise file.refuse(f"it describes what cannot be ({error})") from error


def _metadata(network: Network, notes: Mapping[str, Any] | None) -> dict[str, str]:
    """The strings that stand in the header."""
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "fastnn_version": importlib.import_module("fastnn").__version__,
        "network": _text(_described(network), "the network"),
    }
    return metadata if notes is None else {**metadata, "notes": _text(dict(notes), "notes")}


def _text(data: Any, what: str) -> str:
    """Return data as JSON."""
    try:
        text = json.dumps(data, allow_nan=False)
        parse(text)  # what could not be read again must not be written
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(
            f"{what} cannot be saved as data ({error}); use text, finite numbers, lists and tables"
        ) from error
    return text


def _described(network: Network) -> dict[str, Any]:
    """What `Network` was called with, as data."""
    return {
        "layers": [_layer(layer) for layer in network.layers],
        "inputs": network.inputs,
        "loss": _loss(network._loss),
        "init": _initializer(network._init),
        "seed": network.seed,
        "dtype": network.dtype.name,
    }


def _loss(loss: losses.Loss) -> str | dict[str, Any]:
    """A loss as data: its name, or its class and its fields where one is set."""
    if loss == losses.resolve(loss.name, loss.needs or "identity"):
        return loss.name
    return {"class": type(loss).__name__, **dataclasses.asdict(loss)}


def _layer(layer: Layer) -> dict[str, Any]:
    """A layer as data: its class and its fields."""
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
    """An initialiser as data: its name, or its class and its fields."""
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


def _object(file: TensorFile, key: str) -> dict[str, Any]:
    """Return the JSON object under a key of the metadata."""
    try:
        data = parse(file.metadata[key])
    except ValueError as error:
        raise file.refuse(f"its {key!r} cannot be read ({error})") from error
    if not isinstance(data, dict):
        raise file.refuse(f"its {key!r} is no JSON object")
    return data


def _network(file: TensorFile) -> Network:
    """Return the network that the file describes, with the file's numbers."""
    if file.metadata.get("format") != FORMAT or "network" not in file.metadata:
        raise file.refuse("it holds tensors but no network", "was it saved by another library?")
    if file.metadata.get("format_version") != VERSION:
        raise file.refuse(
            f"it has version {file.metadata.get('format_version')!r} of the format, and this "
            f"fastnn reads {VERSION!r}",
            "load it with the fastnn that wrote it, or a newer one",
        )
    from .network import Network  # Network.save imports this module

    data = _object(file, "network")
    if set(data) != {*SETTINGS, "init", "loss"}:
        raise file.refuse(f"its description has the keys {sorted(data)}")
    for key, kind in SETTINGS.items():
        if type(data[key]) is not kind:
            raise file.refuse(f"its {key!r} is {data[key]!r:.80}")
    layers = [_build(file, LAYERS, layer, "layer") for layer in data["layers"]]
    loss = data["loss"]
    network = Network(
        layers,
        loss=loss if isinstance(loss, str) else _build(file, LOSSES, loss, "loss"),
        init=_drawn(file, data["init"]),
        seed=data["seed"],
        dtype=data["dtype"],
    )
    _fill(network, data["inputs"], file)
    return network


def _build(file: TensorFile, kinds: Mapping[str, Any], data: Any, what: str) -> Any:
    """Return an object of one of the known classes, made by its ordinary constructor."""
    fields = dict(data) if isinstance(data, dict) else {}
    name = fields.pop("class", None)
    if not isinstance(name, str) or name not in kinds:
        raise file.refuse(
            f"it has the {what} {data!r:.80}, and the known ones are {', '.join(kinds)}"
        )
    hints = _hints(kinds[name])
    if isinstance(fields.get("init"), dict):
        fields["init"] = _drawn(file, fields["init"])
    for key, value in fields.items():
        if key not in hints or not isinstance(value, hints[key]):
            raise file.refuse(f"its {what} {name} has {key!r} = {value!r:.80}")
    try:
        return kinds[name](**fields)
    except TypeError as error:
        raise file.refuse(f"its {what} {name} lacks a field ({error})") from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a class's fields."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _drawn(file: TensorFile, data: Any) -> Any:
    """Return an initialiser from its name or its class and fields."""
    return data if isinstance(data, str) else _build(file, INITIALIZERS, data, "initialiser")


def _fill(network: Network, inputs: int, file: TensorFile) -> None:
    """Build the network without drawing weights, and copy the file's tensors into it."""
    widths = [inputs, *(layer.units for layer in network.layers if isinstance(layer, Dense))]
    # Before anything is allocated: what is described must not be larger than what is there.
    if inputs < 1 or file.data_size < network.dtype.itemsize * sum(
        n_in * n_out for n_in, n_out in pairwise(widths)
    ):
        raise file.refuse(f"its data are too short for layers of the sizes {widths!r:.80}")
    program = lower(network.layers, inputs, network._loss, network.dtype)
    targets: dict[str, Array] = dict(program.parameters) | _averages(program)
    if isinstance(network.layers[0], Normalization) and set(SCALING) & set(file.entries):
        targets |= dict(zip(SCALING, statistics(program.state, program.ops[0]), strict=True))
        network._scaled = True
    if set(targets) != set(file.entries):
        raise file.refuse(
            f"its network has {', '.join(targets)}, but it holds {', '.join(file.entries)[:200]!r}"
        )
    for name, target in targets.items():
        entry = file.entries[name]
        if entry.shape != target.shape or entry.dtype.newbyteorder("=") != target.dtype:
            raise file.refuse(
                f"{name!r} has shape {entry.shape} and dtype {entry.dtype.name}, but its network "
                f"needs {target.shape} and {target.dtype.name}"
            )
        target[...] = file.read(name)
    network._program = program
