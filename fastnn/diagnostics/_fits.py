"""What the diagnostics that train networks share: networks made, weights of some of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastnn._validation import arguments

from ..errors import SettingError

Array = np.ndarray[Any, Any]


def weights_of_rows(fit: Mapping[str, Any], m: int) -> Callable[[Array], dict[str, Array]]:
    """Return what gives a fit of some of the m rows their ``sample_weight``, if fit names one.

    Raises
    ------
    ShapeError, DataError
        If there is not one weight for each row, none negative.
    """
    if fit.get("sample_weight") is None:
        return lambda rows: {}
    w = arguments.sample_weight(fit["sample_weight"], m)
    return lambda rows: {"sample_weight": w[rows]}


def made(make_network: Callable[[int], Any], seed: int) -> Any:
    """Return the network that a function makes of a seed, or say that it makes none."""
    net = make_network(seed)
    if not callable(getattr(net, "fit", None)):
        raise SettingError(
            f"make_network must return a new Network for a seed, got {type(net).__name__}"
        )
    return net
