"""Settings: what an importer reads of a foreign layer, and what must be as it is by default."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastnn.errors import SettingError


@dataclass(frozen=True)
class LayerRule:
    """How a class of layers is taken over, by the names of its constructor's parameters.

    A parameter that stands in none of the three must have its default: a library's next version
    may bring one that an importer cannot know.

    Attributes
    ----------
    read : str
        Names, separated by spaces, that the importer turns into something of ours.
    needed : mapping
        Names, each with the values under which the layer computes what ours does.
    free : str
        Names that change training or storage only, never an output.
    """

    read: str = ""
    needed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    free: str = ""


def check_settings(rule: LayerRule, base: Any, layer: Any, name: str) -> None:
    """Refuse a layer of a setting under which it computes something that is not taken over.

    `base` is the library's class whose constructor knows the defaults; `name` is for errors.
    """
    known = {*rule.read.split(), *rule.free.split()}
    for setting, parameter in inspect.signature(base.__init__).parameters.items():
        value = getattr(layer, setting, parameter.default)
        named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if setting in known or not named or value is parameter.empty:
            continue
        allowed = rule.needed.get(setting, (parameter.default,))
        if not any(_equal(value, one) for one in allowed):
            values = " or ".join(repr(one) for one in allowed if one is not parameter.empty)
            raise SettingError(
                f"{name} has {setting}={reprlib.repr(value)}, which has no counterpart in fastnn; "
                f"it takes {setting}={values or 'nothing'}"
            )


def _equal(value: Any, other: Any) -> bool:
    """Tell whether a setting has a value; objects that do not compare to True or False differ."""
    try:
        return value is other or bool(value == other)
    except Exception:  # an array of several numbers, a symbol
        return False


def library_class(value: Any, packages: str | tuple[str, ...]) -> type | None:
    """Return the first class of an object, or of those it inherits from, that a library defines.

    The name alone says little: quantised and adapted layers are called ``Linear``, too.
    """
    return next((k for k in type(value).__mro__ if k.__module__.startswith(packages)), None)


def overridden_method(value: Any, base: Any, methods: Iterable[str]) -> str | None:
    """Return the first of some methods that an object does not have from the library's class."""
    for method in methods:
        in_both = _defined(type(value), method), _defined(base, method)
        if method in getattr(value, "__dict__", {}) or in_both[0] is not in_both[1]:
            return method
    return None


def _defined(kind: type, method: str) -> Any:
    """Return what a class or the first of those it inherits from defines under a name."""
    return next((vars(k)[method] for k in kind.__mro__ if method in vars(k)), None)
