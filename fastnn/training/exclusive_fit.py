"""Exclusive fits: a network is trained by one fit at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fastnn.errors import SettingError

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
