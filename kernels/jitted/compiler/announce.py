"""Who is told of a compilation, and how far it has come. This module imports no Numba."""

from __future__ import annotations

import threading
from typing import Any

_listeners: list[Any] = []  # [], or the listener
_lock = threading.Lock()  # held while the listener is called


def listen(listener):
    """Have listener(done, total, part) called when a compilation begins, and as it goes on.

    done of total objects are compiled then; part: what those are for that are compiled now. It is
    called in any thread, by one at a time. listener: a function, or None to call nobody.
    """
    _listeners[:] = [listener] if listener else []


def announce(total, part):
    """Tell the listener that `total` objects are compiled now, at first those of `part`.

    Return a function of a part, to be called after each object.
    """
    done = -1

    def advance(part):
        """Tell the listener that one more object is compiled, one of `part`."""
        nonlocal done
        with _lock:
            done += 1
            for listener in _listeners:
                listener(done, total, part)

    advance(part)
    return advance
