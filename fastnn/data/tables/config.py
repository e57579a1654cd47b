"""Config: the encoding of a table as plain data, and back, believed only after it was checked."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

from fastnn.errors import DataError

from .columns import KINDS, PERIODS, CategoryColumn, Column, DateColumn, NumberColumn
from .values import DATE_FORMATS

SETTINGS = ("categories", "scale", "max_values", "dtype", "drop_identifiers")


def columns_config(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return columns as plain data: each its kind and its fields."""
    names = {kind: name for name, kind in KINDS.items()}
    return [{"kind": names[type(column)], **dataclasses.asdict(column)} for column in columns]


def checked(data: Any) -> tuple[dict[str, Any], tuple[Column, ...]]:
    """Return the settings and columns of an encoder's data; DataError if they are none."""
    if not isinstance(data, dict) or set(data) != {"settings", "columns"}:
        raise DataError("the description of a table's columns is none")
    settings, columns = data["settings"], data["columns"]
    if (
        not isinstance(settings, dict)
        or set(settings) != set(SETTINGS)
        or not _texts(settings["categories"])
    ):
        raise DataError(f"the settings of a table's columns are {settings!r:.200}")
    if not isinstance(columns, list) or not columns:
        raise DataError(f"a table's columns are described by {columns!r:.200}")
    found = tuple(_column(each) for each in columns)
    if len({column.name for column in found}) < len(found):
        raise DataError("the description of a table has two columns of one name")
    return settings, found


def _column(data: Any) -> Column:
    """Return the column of its data."""
    fields = dict(data) if isinstance(data, dict) else {}
    name = fields.pop("kind", None)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or set(fields) != {field.name for field in dataclasses.fields(kind)}:
        raise DataError(f"a table's column is described by {data!r:.200}")
    for field, value in fields.items():
        if not RULES[kind][field](value):
            raise DataError(f"the {name} column {fields['name']!r:.60} has {field} = {value!r:.60}")
    return kind(**{key: _plain(value) for key, value in fields.items()})


def _plain(value: Any) -> Any:
    """Return a list as a tuple, a value as it is."""
    return tuple(value) if isinstance(value, list | tuple) else value


def _texts(value: Any) -> bool:
    """Whether a value is a list of texts that differ."""
    texts = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return texts and len(set(value)) == len(value)


def _text(value: Any) -> bool:
    """Whether a value is text."""
    return isinstance(value, str)


def _count(value: Any) -> bool:
    """Whether a value is a whole number that is not negative."""
    return type(value) is int and 0 <= value < 2**63


def _finite(value: Any) -> bool:
    """Whether a value is a number."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _nonnegative(value: Any) -> bool:
    """Whether a value is a number that is not negative."""
    return _finite(value) and value >= 0


def _parts(value: Any) -> bool:
    """Whether a value is a list of parts of a date."""
    return _texts(value) and set(value) <= set(PERIODS)


def _format(value: Any) -> bool:
    """Whether a value is a format of dates."""
    return isinstance(value, str) and value in DATE_FORMATS


#: What each field of a column must be.
RULES: dict[type[Column], dict[str, Callable[[Any], bool]]] = {
    NumberColumn: {
        "name": _text, "median": _finite, "shift": _finite, "factor": _finite,
        "clip": _nonnegative, "missing": _count,
    },
    CategoryColumn: {"name": _text, "values": _texts, "other": _count, "missing": _count},
    DateColumn: {
        "name": _text, "format": _format, "shift": _finite, "factor": _finite, "parts": _parts,
        "missing": _count,
    },
}  # fmt: skip
