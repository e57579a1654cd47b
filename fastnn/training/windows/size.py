"""Sizes of windows: bytes, or a text with a unit."""

from __future__ import annotations

import re
from typing import Any

from fastnn._validation import arguments
from fastnn.errors import SettingError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40
}  # fmt: skip
#: Bytes of X that a window holds where nobody says otherwise.
DEFAULT = 256 * 10**6
#: Bytes of a window where rows are read once, in their order, so that nothing has to be mixed.
SCAN = 4 * 2**20


def format_bytes(size: int) -> str:
    """Return a size as a text that `window_bytes` reads: ``"256 MB"``."""
    for unit in ("GB", "MB", "KB"):
        if size >= UNITS[unit]:
            return f"{round(size / UNITS[unit], 1):g} {unit}"
    return f"{size} B"


def window_bytes(window: Any) -> int:
    """Return the bytes of a window, given as a whole number or as text like ``"256 MB"``.

    Raises
    ------
    SettingError
        If it is neither, or not positive.
    """
    if not isinstance(window, str):
        return arguments.integer(window, "window", least=1)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?B)\s*", window.upper())
    size = round(float(found[1]) * UNITS[found[2]]) if found and found[2] in UNITS else 0
    if size < 1:
        raise SettingError(
            f'window must be bytes or a text like "256 MB" or "1 GiB", got {window!r}'
        )
    return size
