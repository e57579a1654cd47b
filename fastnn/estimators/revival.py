"""Revival: pickles of estimators that an earlier version of fastnn made."""

from __future__ import annotations

from inspect import signature
from typing import Any


class Revivable:
    """An estimator whose pickles come back though they lack parameters that came after them."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled; a parameter that is not in it has its default."""
        super().__setstate__(state)  # type: ignore[misc]
        for name, parameter in signature(type(self)).parameters.items():
            self.__dict__.setdefault(name, parameter.default)
