"""What logs say of a network beside its curves: its settings, and its last numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ..history import History
from ..network import Network
from ..network.description import state_of

Value = str | int | float | bool


def settings_of(network: Network, more: Mapping[str, Any]) -> dict[str, Value]:
    """Return the settings of a network and its optimiser by name, and those that a user adds."""
    state = state_of(network)
    found: dict[str, Any] = {
        "layers": ", ".join(map(repr, state.layers)),
        "inputs": network.inputs,
        "loss": state.loss.name,
        "init": state.init,
        "seed": state.seed,
        "dtype": state.dtype.name,
        "precision": network.precision,
    }
    optimizer, schedule = state.training.optimizer, state.training.schedule
    if optimizer is not None:
        found["optimizer"] = type(optimizer).__name__
        found |= {field.name: getattr(optimizer, field.name) for field in fields(optimizer)}
    if schedule is not None:
        found["schedule"] = schedule
    found |= more
    return {name: v if isinstance(v, Value) else str(v) for name, v in found.items()}


def last_values(history: History) -> dict[str, float]:
    """Return what was measured in the last epoch, by name."""
    ends = {name: float(curve[-1]) for name, curve in history.items()}
    return {name: end for name, end in ends.items() if not np.isnan(end)}
