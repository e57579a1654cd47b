"""Frozen dataclasses that describe themselves shortly: only what differs from the defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, TypeVar, dataclass_transform

__all__ = ["ShortRepr", "every_field", "frozen", "in_full", "stable_repr"]

#: The address in the repr of a function, another one in each process.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

_in_full: ContextVar[bool] = ContextVar("every_field", default=False)


@contextmanager
def every_field() -> Iterator[None]:
    """Have everything described with all of its fields, as digests of settings need it."""
    token = _in_full.set(True)
    try:
        yield
    finally:
        _in_full.reset(token)


def in_full() -> bool:
    """Whether all fields are asked for."""
    return _in_full.get()


def stable_repr(value: Any) -> str:
    """Return a repr with all fields that is the same in every process."""
    with every_field():
        return ADDRESS.sub("", repr(value))


class ShortRepr:
    """A dataclass whose repr makes an equal object when evaluated, and says no default."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    #: What `__init__` calls a field, where that is another name.
    _arguments: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if "__repr__" not in vars(cls):  # the dataclass decorator would write its own
            cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field.name) for field in fields(self))))

    def __repr__(self) -> str:
        shown = [field for field in fields(self) if field.repr]
        values = {field.name: getattr(self, field.name) for field in shown}
        if in_full():
            texts = [f"{name}={value!r}" for name, value in values.items()]
        else:
            texts = [repr(values[field.name]) for field in shown if field.default is MISSING]
            texts += [
                f"{self._arguments.get(field.name, field.name)}={values[field.name]!r}"
                for field in shown
                if field.default is not MISSING and values[field.name] != field.default
            ]
        return f"{type(self).__qualname__}({', '.join(texts)})"


Kind = TypeVar("Kind", bound=ShortRepr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[Kind]) -> type[Kind]:
    """Make a class a frozen dataclass that compares, hashes and shows itself as `ShortRepr` does.

    A plain dataclass decorator would compile these methods for each class, at every start.
    """
    return dataclass(frozen=True, eq=False, repr=False)(kind)
