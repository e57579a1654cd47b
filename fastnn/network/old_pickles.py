"""Pickles of fastnn 0.1: the attributes of a network, by the names of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn.training.state import NetworkState

__all__ = ["of_earlier_versions"]

#: What pickles of fastnn 0.1 call the fields of `NetworkState`; they are read until 0.3.
EARLIER = {
    "_layers": "layers",
    "_loss": "loss",
    "_init": "init",
    "_seed": "seed",
    "_dtype": "dtype",
    "_program": "lowered",
    "_scaled": "scaled",
    "_memory": "training",
    "_metrics": "metrics",
    "history": "history",
}


def of_earlier_versions(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's attributes from those that fastnn 0.1 pickled."""
    fields = {EARLIER[name]: value for name, value in state.items() if name in EARLIER}
    fields["dtype"] = fields["dtype"].newbyteorder("=")  # of another kind of machine
    others = {name: value for name, value in state.items() if name not in EARLIER}
    return {**others, "_state": NetworkState(**fields)}
