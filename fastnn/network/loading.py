"""Loading: networks from model files and checkpoints."""

from __future__ import annotations

import os
from typing import Any

from fastnn.errors import ModelFileError, SettingError
from fastnn.saving import ensemble_file, model_file
from fastnn.training.state import NetworkState

from .network import Network

__all__ = ["load", "load_with_notes", "network_of"]


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network or an ensemble; `fastnn.load` says what else, and what it raises."""
    found = ensemble_file.read(path)
    if not isinstance(found, list):
        return network_of(found)
    from .ensemble import Ensemble  # most files hold one network

    try:
        several: Any = Ensemble([network_of(state) for state in found])
    except SettingError as error:
        raise ModelFileError(f"{str(path)!r} is not a usable model file: {error}") from None
    return several  # type: ignore[no-any-return]


def load_with_notes(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Load a network and the notes that were saved with it; raises what `load` raises."""
    state, notes = model_file.read(path)
    return network_of(state), notes


def network_of(state: NetworkState) -> Network:
    """Return the network that has this state, as a file that is read gives one."""
    network = object.__new__(Network)
    network._state = state
    return network
