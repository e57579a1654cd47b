"""The callbacks of a fit, and the network that they are called with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn.history import History


class CallbackList:
    """Calls the callbacks of one fit with its network.

    Parameters
    ----------
    callbacks : sequence of callable
        Called in this order.
    network : Network
        Their first argument; nothing here looks into it.
    """

    def __init__(self, callbacks: Sequence[Callable[[Any, History], Any]], network: Any) -> None:
        self.callbacks, self.network = tuple(callbacks), network

    def __len__(self) -> int:
        return len(self.callbacks)

    def start(self) -> None:
        """Call `start` of every callback that has it, before the first step."""
        self._tell("start")

    def finish(self) -> None:
        """Call `finish` of every callback that has it, after a fit without an error."""
        self._tell("finish")

    def _tell(self, event: str) -> None:
        """Call that method of every callback that has it."""
        for callback in self.callbacks:
            getattr(callback, event, lambda network: None)(self.network)

    def after_epoch(self, history: History) -> bool:
        """Call every callback with the history of this fit; return whether one returned True."""
        wishes = [callback(self.network, history) for callback in self.callbacks]
        return any(isinstance(wish, bool | np.bool_) and wish for wish in wishes)
