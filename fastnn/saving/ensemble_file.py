"""Files of ensembles: the networks of one, each as in a model file, in one file.

The tensors of network k are called ``k.W1`` and so on, its description is the string ``network.k``,
and the string ``members`` says how many there are.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.errors import FastnnError
from fastnn.training.state import NetworkState

from . import model_file
from .bounded_json import shown
from .safetensors import TensorFile

Array = np.ndarray[Any, Any]


def save(
    states: Sequence[NetworkState],
    path: str | os.PathLike[str],
    more: Mapping[str, str] | None = None,
) -> None:
    """Save the networks of an ensemble; raises what `model_file.save` raises, and as safely.

    `more` are strings of the metadata by keys without a point, for what is made of the networks.
    """
    tensors: dict[str, Array] = {}
    metadata = {"members": str(len(states)), **(more or {})}
    for k, state in enumerate(states):
        own = model_file.metadata_of(state, None)
        metadata[f"network.{k}"] = own.pop("network")
        metadata |= own
        try:
            found = model_file.tensors_of(state)
        except FastnnError as error:
            raise type(error)(f"networks[{k}]: {error}") from None
        tensors |= {f"{k}.{name}": tensor for name, tensor in found.items()}
    model_file.write(path, tensors, metadata)


def states_from(file: TensorFile) -> list[NetworkState]:
    """Return the networks of an open file of an ensemble."""
    return [model_file.state_from(member) for member in _members(file)]


def _members(file: TensorFile) -> list[TensorFile]:
    """Return for each network a view of the file that has its tensors and description alone."""
    text, count = file.metadata["members"], sum("." in key for key in file.metadata)
    whole = all(f"network.{k}" in file.metadata for k in range(count))
    if not count or text != str(count) or not whole:
        raise file.refuse(f"it is an ensemble of {shown(text)} networks, which cannot be")
    entries: list[dict[str, str]] = [{} for _ in range(count)]
    for name in file.entries:
        number, _, own = name.partition(".")
        if f"network.{number}" not in file.metadata:
            raise file.refuse(f"its tensor {shown(name)} belongs to none of its {count} networks")
        entries[int(number)][own] = name
    return [_view(file, k, names) for k, names in enumerate(entries)]


def _view(file: TensorFile, k: int, names: dict[str, str]) -> TensorFile:
    """Return the file as if it held network k alone; names: those in the file by its own."""
    view = copy.copy(file)
    view.metadata = {key: text for key, text in file.metadata.items() if "." not in key}
    view.metadata["network"] = file.metadata[f"network.{k}"]
    view.entries = {own: file.entries[name] for own, name in names.items()}
    if file.has_checksums:
        view.checksums = {own: file.checksums[name] for own, name in names.items()}
    return view
