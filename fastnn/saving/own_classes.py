"""Classes of the user's own, as schedules: which of their objects a file can hold as data."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

from fastnn.errors import SettingError
from fastnn.schedules import Schedule

PLAIN = (bool, int, float, str)  # what JSON gives back as it was


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    """Yield all classes below a class, a later one of the same name later."""
    for kind in base.__subclasses__():
        yield kind
        yield from subclasses(kind)


def is_own(kind: type[Any]) -> bool:
    """Whether a class is the user's, not ours."""
    return not kind.__module__.startswith("fastnn.")


def check_restorable(thing: Any, what: str) -> None:
    """Refuse an object that the constructor of its class would not make again from data."""
    kind = type(thing)
    names = {field.name for field in dataclasses.fields(thing) if field.init}
    if not set(inspect.signature(kind).parameters) == names == set(vars(thing)):
        raise SettingError(
            f"{what} {kind.__name__} cannot be saved as data, for its constructor does not take "
            f"all that it keeps; write @dataclass(frozen=True) above class {kind.__name__}, and "
            "its settings as fields"
        )
    for name in names:
        value = getattr(thing, name)
        entries = value if isinstance(value, tuple) else (value,)
        if not all(entry is None or isinstance(entry, (*PLAIN, Schedule)) for entry in entries):
            raise SettingError(
                f"{what} {kind.__name__} cannot be saved as data, for its field {name} is {value!r}"
                "; a file holds numbers, text, schedules, and tuples of numbers and text"
            )
