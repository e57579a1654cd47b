"""The callbacks of a fit, and the network that they are called with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from fastnn.history import History
from fastnn.kernels.records import BestEpoch


class Follower(Protocol):
    """A callback of fastnn's own that looks at nothing but the history and, perhaps, the weights.

    It can be called after several epochs at once, and then takes them one by one.
    """

    @property
    def keeps_weights(self) -> bool:
        """Whether weights of earlier epochs are wanted."""

    def defer(self, network: Any, history: History) -> BestEpoch | None:
        """Agree to that for the fit of a history; return what the run is to keep, if anything."""

    def free_epochs(self) -> int:
        """Return how many epochs may pass before the next call: 1 where it has not agreed."""


class CallbackList:
    """Calls the callbacks of one fit with its network: after every epoch, or later.

    Later where all are a `Follower`, and one of them at most keeps weights: the run does it for
    that one.

    Parameters
    ----------
    callbacks : sequence of callable
        Called in this order.
    network : Network
        Their first argument; nothing here looks into it.
    """

    def __init__(self, callbacks: Sequence[Callable[[Any, History], Any]], network: Any) -> None:
        self.callbacks, self.network = tuple(callbacks), network
        self._followers: Sequence[Follower] = ()

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

    def defer(self, history: History) -> BestEpoch | None:
        """Let callbacks be called later, if all can; return what the run keeps for one of them.

        history: that of this fit, before its first epoch.
        """
        found: list[Any] = [
            callback
            for callback in self.callbacks
            if hasattr(callback, "defer") and type(callback).__module__.startswith("fastnn.")
        ]
        if len(found) < len(self) or sum(each.keeps_weights for each in found) > 1:
            return None
        self._followers = found
        wanted = [each.defer(self.network, history) for each in self._followers]
        return next((best for best in wanted if best is not None), None)

    def free_epochs(self) -> int:
        """Return how many epochs may pass before the callbacks are called."""
        if not self._followers:
            return 1 if self else sys.maxsize
        return min(each.free_epochs() for each in self._followers)

    def after_epoch(self, history: History) -> bool:
        """Call every callback with the history of this fit; return whether one returned True."""
        wishes = [callback(self.network, history) for callback in self.callbacks]
        return any(isinstance(wish, bool | np.bool_) and wish for wish in wishes)
