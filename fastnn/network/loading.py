"""Loading: networks from model files and checkpoints."""

from __future__ import annotations

import os
from typing import Any

from fastnn.saving import model_file

from .network import Network

__all__ = ["load", "load_with_notes"]


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network that `Network.save` wrote: same predictions, bit for bit.

    From a checkpoint comes a network whose next `fit` goes on where that one was, bit for bit.
    At no time is more memory taken than about twice the size of the file and 4 MiB.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is not a model file, or damaged, or of a newer version; the message says
        where.

    Examples
    --------
    >>> net.save("model.safetensors")
    >>> net = fastnn.load("model.safetensors")
    """
    return load_with_notes(path)[0]


def load_with_notes(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Load a network and the notes that were saved with it; raises what `load` raises."""
    state, notes = model_file.read(path)
    network = object.__new__(Network)
    network._state = state
    return network, notes
