"""Who is told that a compilation begins. This module imports no Numba."""

from __future__ import annotations

from typing import Any

#: [], [listener] or [False]. The listener is called once, before the process compiles the first
#: kernel; [False] says that this compilation has begun.
_listeners: list[Any] = []


def listen(listener):
    """Have listener() called before this process first compiles a kernel.

    listener: a function, or None to call nobody. If a compilation has begun before, the listener is
    never called.
    """
    if _listeners != [False]:
        _listeners[:] = [listener] if listener else []


def announce():
    """Call the function given to `listen`, because a compilation begins, and forget it afterwards.

    If `listen` has never been called, nothing happens.
    """
    found, _listeners[:] = _listeners[:], [False] if _listeners else []
    for listener in found:
        if listener:
            listener()
