"""Checkpoints: what training keeps in a network, as tensors and data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.kernels.opcodes import METHODS, Method
from fastnn.kernels.views import slots_for
from fastnn.training.metric_recorder import known

from .bounded_json import shown
from .config import OPTIMIZERS, SCHEDULES, built, settings
from .safetensors import TensorFile

if TYPE_CHECKING:
    from fastnn.network import Network

Array = np.ndarray[Any, Any]

HISTORY = "history."
NAMES = {"optimizer", "schedule", "counters", "epoch", "since", "metrics", "interrupted", "curves"}
ROUNDING = 1e-6  # of a share: a sum of float32 weights by another sum of them
LARGEST = 2**62  # of counts: what a signed word holds, with room to go on


def _slots(network: Network) -> dict[str, Array]:
    """The optimiser's slots by the parameter they belong to, ``slot1.W1``: views of the memory."""
    return {
        f"slot{number}.{name}": view
        for number, slot in enumerate(network._memory.slots, start=1)
        for name, view in network.program.views(slot).items()
    }


def tensors(network: Network) -> dict[str, Array]:
    """The optimiser's slots and the curves of the history by name."""
    history = network.history
    return _slots(network) | {f"{HISTORY}{name}": history[name] for name in history}


def described(network: Network) -> dict[str, Any]:
    """The rest of the training, as data."""
    memory = network._memory
    return {
        "optimizer": settings(memory.optimizer, OPTIMIZERS, "optimizer"),
        "schedule": settings(memory.schedule, SCHEDULES, "schedule"),
        "counters": [int(count) for count in memory.counters],
        "epoch": memory.epoch,
        "since": list(memory.since),
        "metrics": list(network._metrics),
        "interrupted": network.history.interrupted,
        "curves": list(network.history),
    }


def _check(file: TensorFile, data: Mapping[str, Any]) -> None:
    """Refuse a description of another shape."""
    if set(data) != NAMES:
        raise file.refuse(f"its training has the keys {shown(sorted(data))}")
    counts = [data["epoch"]]
    for key in ("counters", "since"):
        if type(data[key]) is not list or len(data[key]) != 2:
            raise file.refuse(f"its training has {key!r} = {shown(data[key])}")
        counts += data[key]
    if not all(type(count) is int and 0 <= count <= LARGEST for count in counts):
        raise file.refuse(f"its training has the counts {shown(counts)}")
    if data["counters"][1] > 1 or data["since"][0] > data["epoch"]:
        raise file.refuse(f"its training has the counts {shown(counts)}, which cannot be")
    for key in ("metrics", "curves"):
        texts = data[key]
        if type(texts) is not list or not all(type(text) is str for text in texts):
            raise file.refuse(f"its training has {key!r} = {shown(texts)}")
    if type(data["interrupted"]) is not bool:
        raise file.refuse(f"its training has 'interrupted' = {shown(data['interrupted'])}")


def prepared(network: Network, file: TensorFile, data: Mapping[str, Any]) -> dict[str, Array]:
    """Give a network the described memory, and return what is to be filled, by name."""
    _check(file, data)
    memory = network._memory
    if data["optimizer"] is not None:
        optimizer = built(file, OPTIMIZERS, data["optimizer"], "optimizer")
        names = network.program.parameters
        count = len(slots_for(int(optimizer.settings["method"]), 0, network.dtype))
        missing = {f"slot{k + 1}.{name}" for k in range(count) for name in names}
        if not missing <= set(file.entries):  # before memory for them is taken
            raise file.refuse(f"it lacks slots of its optimizer {type(optimizer).__name__}")
        memory.prepare(optimizer, network.program)
    if data["schedule"] is not None:
        memory.schedule = built(file, SCHEDULES, data["schedule"], "schedule")
    memory.counters[...] = data["counters"]
    memory.epoch, memory.since = data["epoch"], (data["since"][0], data["since"][1])
    network._metrics = known(data["metrics"])
    network.history.interrupted = data["interrupted"]
    curves = [f"{HISTORY}{name}" for name in data["curves"]]
    for name in curves:
        if name not in file.entries or len(file.entries[name].shape) != 1:
            raise file.refuse(f"it lacks the curve {shown(name)}")
    return _slots(network) | {name: np.empty(file.entries[name].shape) for name in curves}


def squares(network: Network) -> set[str]:
    """Names of the slots that hold averages of squares, which are not negative."""
    optimizer = network._memory.optimizer
    slot = METHODS[Method(int(optimizer.settings["method"]))].squares if optimizer else None
    if slot is None:
        return set()
    return {f"slot{slot + 1}.{name}" for name in network.program.parameters}


def remember(network: Network, found: Mapping[str, Array], file: TensorFile) -> None:
    """Take the filled curves into the network's history; refuse what no training records."""
    curves = {
        name.removeprefix(HISTORY): curve
        for name, curve in found.items()
        if name.startswith(HISTORY)
    }
    epochs, memory = len(curves.get("cost", ())), network._memory
    if epochs > memory.epoch or memory.since[1] > epochs:
        raise file.refuse(
            f"its history has {epochs} epochs, but its training counts {memory.epoch}, and "
            f"{memory.since[1]} before its schedule began"
        )
    for name, curve in curves.items():
        if len(curve) > epochs:
            raise file.refuse(f"its curve {shown(name)} has {len(curve)} epochs, the cost {epochs}")
        # Others may be NaN where nothing was measured, or infinite, as a cost of held-out rows.
        share = name in ("accuracy", "validation_accuracy")
        if name == "cost" and not np.isfinite(curve).all():
            raise file.refuse("its history has a cost that is not finite")
        if share and ((curve < 0) | (curve > 1 + ROUNDING)).any():
            raise file.refuse(f"its curve {name!r} leaves 0 … 1")
    network.history.extend(curves)
