"""Editions of the notebooks: that of 2021, and the older one of 2017 to 2020."""

from __future__ import annotations

import operator
from typing import Any

from fastnn.errors import SettingError

LATEST = 2021


def is_older(edition: Any) -> bool:
    """Return whether a year names the edition of 2017 to 2020; refuse years without a notebook."""
    try:
        year = operator.index(edition)
    except TypeError:
        year = 0
    if not 2017 <= year <= LATEST:
        raise SettingError(
            f"edition must be {LATEST}, or 2017 for the notebooks of 2017 to 2020, got {edition!r}"
        )
    return year < LATEST
