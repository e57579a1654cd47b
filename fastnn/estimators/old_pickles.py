"""Pickles of estimators that an earlier version of fastnn made."""

from __future__ import annotations

from inspect import signature
from typing import Any


class OldPickles:
    """An estimator that can be unpickled where its pickle lacks parameters that are newer."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled; a parameter that is not in it gets its default."""
        super().__setstate__(state)  # type: ignore[misc]
        for name, parameter in signature(type(self)).parameters.items():
            self.__dict__.setdefault(name, parameter.default)
