"""Checkpoints: what training keeps in a network, as tensors and config, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.kernels.custom_methods import traits_of
from fastnn.kernels.views import slots_for
from fastnn.training.metric_recorder import check_metric_names
from fastnn.training.state import NetworkState

from .bounded_json import shown
from .config import from_config, optimizer_kinds, schedule_kinds, to_config
from .safetensors import TensorFile

Array = np.ndarray[Any, Any]

HISTORY = "history."
NAMES = {"optimizer", "schedule", "counters", "epoch", "since", "metrics", "interrupted", "curves"}
ROUNDING = 1e-6  # of a share: a sum of float32 weights by another sum of them
LARGEST = 2**62  # of counts: what a signed word holds, with room to go on


def _slots(state: NetworkState) -> dict[str, Array]:
    """Return the optimiser's slots by the parameter they belong to, ``slot1.W1``, as views."""
    return {
        f"slot{number}.{name}": view
        for number, slot in enumerate(state.training.slots, start=1)
        for name, view in state.program.views(slot).items()
    }


def tensors(state: NetworkState) -> dict[str, Array]:
    """Return the optimiser's slots and the curves of the history by name."""
    history = state.history
    return _slots(state) | {f"{HISTORY}{name}": history[name] for name in history}


def training_config(state: NetworkState) -> dict[str, Any]:
    """Return the rest of the training as config."""
    training = state.training
    return {
        "optimizer": to_config(training.optimizer, optimizer_kinds(), "optimizer"),
        "schedule": to_config(training.schedule, schedule_kinds(), "schedule"),
        "counters": [int(count) for count in training.counters],
        "epoch": training.epoch,
        "since": list(training.since),
        "metrics": list(state.metrics),
        "interrupted": state.history.interrupted,
        "curves": list(state.history),
    }


def _check(file: TensorFile, data: Mapping[str, Any]) -> None:
    """Refuse a config of training of another shape."""
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


def restore_state(
    state: NetworkState, file: TensorFile, data: Mapping[str, Any]
) -> dict[str, Array]:
    """Give a network the training of a config; return the arrays still to be filled, by name."""
    _check(file, data)
    training = state.training
    if data["optimizer"] is not None:
        optimizer = from_config(file, optimizer_kinds(), data["optimizer"], "optimizer")
        names = state.program.parameters
        count = len(slots_for(int(optimizer.settings["method"]), 0, state.dtype))
        missing = {f"slot{k + 1}.{name}" for k in range(count) for name in names}
        if not missing <= set(file.entries):  # before memory for them is taken
            raise file.refuse(f"it lacks slots of its optimizer {type(optimizer).__name__}")
        training.keep_slots_for(optimizer, state.program)
    if data["schedule"] is not None:
        training.schedule = from_config(file, schedule_kinds(), data["schedule"], "schedule")
    training.counters[...] = data["counters"]
    training.epoch, training.since = data["epoch"], (data["since"][0], data["since"][1])
    state.metrics = check_metric_names(data["metrics"])
    state.history.interrupted = data["interrupted"]
    curves = [f"{HISTORY}{name}" for name in data["curves"]]
    for name in curves:
        if name not in file.entries or len(file.entries[name].shape) != 1:
            raise file.refuse(f"it lacks the curve {shown(name)}")
    return _slots(state) | {name: np.empty(file.entries[name].shape) for name in curves}


def squares(state: NetworkState) -> set[str]:
    """Return the names of slots that hold averages of squares, which are not negative."""
    optimizer = state.training.optimizer
    slot = traits_of(int(optimizer.settings["method"])).squares if optimizer else None
    if slot is None:
        return set()
    return {f"slot{slot + 1}.{name}" for name in state.program.parameters}


def restore_history(state: NetworkState, found: Mapping[str, Array], file: TensorFile) -> None:
    """Take the filled curves into the network's history; refuse what no training records."""
    curves = {
        name.removeprefix(HISTORY): curve
        for name, curve in found.items()
        if name.startswith(HISTORY)
    }
    epochs, training = len(curves.get("cost", ())), state.training
    if epochs > training.epoch or training.since[1] > epochs:
        raise file.refuse(
            f"its history has {epochs} epochs, but its training counts {training.epoch}, and "
            f"{training.since[1]} before its schedule began"
        )
    for name, curve in curves.items():
        if len(curve) > epochs:
            raise file.refuse(f"its curve {shown(name)} has {len(curve)} epochs, the cost {epochs}")
        # Others may be NaN where nothing was measured, or infinite, as a cost of held-out rows.
        share = name in ("accuracy", "validation_accuracy")
        if name == "learning_rate" and ((curve < 0) | np.isinf(curve)).any():
            raise file.refuse(f"its curve {name!r} holds what is no rate")
        if name == "cost" and not np.isfinite(curve).all():
            raise file.refuse("its history has a cost that is not finite")
        if share and ((curve < 0) | (curve > 1 + ROUNDING)).any():
            raise file.refuse(f"its curve {name!r} leaves 0 … 1")
    state.history.extend(curves)
