"""Who fits a network: one fit at a time, which may be one of several ranks together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

from fastnn.errors import SettingError
from fastnn.history import History

P = ParamSpec("P")

_busy: dict[int, object] = {}  # the fit that holds a network's state, by the id of that state
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_busy.clear)  # a child has no thread that would end a fit


@contextmanager
def exclusive_fit(*states: object) -> Iterator[None]:
    """Hold networks for one fit or reset; refuse a second one, from a callback or a thread.

    One is let go without a call: Python looks for signals after calls, and none can come in
    between. For several, whoever holds them holds Ctrl-C back.
    """
    places, fit = [id(state) for state in states], object()
    try:
        for place in places:
            if _busy.setdefault(place, fit) is not fit:
                raise SettingError(
                    "this network is being fitted already; wait for that fit, or fit net.copy()"
                )
        yield
    finally:
        for place in places:
            if place in _busy and _busy[place] is fit:
                del _busy[place]


def shared_by_ranks(fit: Callable[P, History]) -> Callable[P, History]:
    """Let a fit that is given a communicator, or shards, be one of all ranks together."""

    @wraps(fit)
    def call(*args: P.args, **settings: P.kwargs) -> History:
        if settings.get("comm") is None and settings.get("shards") is None:
            return fit(*args, **settings)
        from fastnn.training.on_ranks import fit_on_ranks  # only these fits need it

        return fit_on_ranks(fit, *args, **settings)

    return call
