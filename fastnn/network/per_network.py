"""Arguments of several networks: one value for all of them, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import SettingError

__all__ = ["callbacks_for_each", "check_count", "one_for_each", "stateful", "weights_for_each"]


def check_count(values: Sequence[Any], name: str, n: int) -> list[Any]:
    """Return the values as a list; refuse another number of them than networks."""
    if len(values) != n:
        raise SettingError(
            f"{name} has {len(values)} entries for {n} networks; give one for each, in their "
            "order, or one value for all"
        )
    return list(values)


def one_for_each(value: Any, name: str, n: int) -> list[Any]:
    """Return n values: the entries of a list or an array, or one value for all."""
    several = isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return check_count(value, name, n) if several else [value] * n


def weights_for_each(value: Any, n: int) -> list[Any]:
    """Return n values of `sample_weight`: of a list of vectors, of rows (n, m), or one vector."""
    rows = getattr(value, "ndim", 1) == 2
    vectors = isinstance(value, list | tuple) and any(
        each is None or np.ndim(each) > 0 for each in value
    )
    return check_count(value, "sample_weight", n) if rows or vectors else [value] * n


def callbacks_for_each(value: Any, n: int) -> list[tuple[Any, ...]]:
    """Return the callbacks of each of n networks: those of a list of lists, or the same for all.

    Those for all are functions: an object that remembers what it saw of one network would mix up
    several.
    """
    given = arguments.as_list(value, "callbacks", "[[fastnn.callbacks.EarlyStopping()], …]")
    if given and all(isinstance(each, list | tuple) for each in given):
        each = [arguments.callables(own, "callbacks") for own in check_count(given, "callbacks", n)]
        seen = [id(callback) for own in each for callback in stateful(own)]
        if len(set(seen)) < len(seen):
            raise SettingError(
                "one object stands among the callbacks of two networks, and would mix up what it "
                "remembers of them; make one for each network"
            )
        return each
    shared = arguments.callables(given, "callbacks")
    if n > 1 and (own := stateful(shared)):
        name = type(own[0]).__name__
        raise SettingError(
            f"{name} remembers what it saw of one network; give one list for each network or "
            f"fold, like callbacks=[[{name}(…)], [{name}(…)], …]"
        )
    return [shared] * n


def stateful(callbacks: Sequence[Any]) -> list[Any]:
    """Return the callbacks that fits start or finish, or that are objects of fastnn's own."""
    return [
        each
        for each in callbacks
        if hasattr(each, "start")
        or hasattr(each, "finish")
        or type(each).__module__.startswith("fastnn.")
    ]
