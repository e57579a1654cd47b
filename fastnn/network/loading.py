"""Loading: networks from model files and checkpoints."""

from __future__ import annotations

import os
from typing import Any

from fastnn.saving import ensemble_file, model_file
from fastnn.saving.safetensors import TensorFile
from fastnn.training.state import NetworkState

from .network import Network

__all__ = ["load", "load_with_notes", "network_of"]


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network or an ensemble; `fastnn.load` says what else, and what it raises."""
    with model_file.opened(path) as file:
        return read(file)[0]


def read(file: TensorFile) -> tuple[Network, dict[str, Any]]:
    """Return the network or the ensemble of an open file, and the notes saved with it."""
    if "members" not in file.metadata:
        state, notes = model_file.contents(file)
        return network_of(state), notes
    from .ensemble import Ensemble  # most files hold one network

    several: Any = Ensemble([network_of(state) for state in ensemble_file.states_from(file)])
    return several, {}


def load_with_notes(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Load a network and the notes that were saved with it; raises what `load` raises."""
    state, notes = model_file.read(path)
    return network_of(state), notes


def network_of(state: NetworkState) -> Network:
    """Return the network that has this state, as a file that is read gives one."""
    network = object.__new__(Network)
    network._state = state
    return network
