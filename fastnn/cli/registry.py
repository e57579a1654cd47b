"""Settings by name on the command line: `adamw:beta1=0.95` is what Python calls AdamW(beta1=0.95).

Names and settings come from the modules where Python has them, so that a new optimiser, schedule,
loss or initialiser is known here at once.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from fastnn import initializers, losses, optimizers, schedules
from fastnn.errors import SettingError

from .hints import closest

__all__ = ["INITIALIZERS", "LOSSES", "OPTIMIZERS", "SCHEDULES", "Setting", "setting_of"]


def dashed(name: str) -> str:
    """Return the name of a class or a setting as options have it: GradientDescent, weight_decay."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "-", name).replace("_", "-").lower()


def _public_kinds(module: ModuleType, base: type) -> dict[str, type]:
    """Return the classes that a module exports below a base, by their names on the command line.

    Without `Registered`: what a user registers in Python no command knows.
    """
    named = ((name, getattr(module, name)) for name in module.__all__ if name != "Registered")
    return {
        dashed(name): kind
        for name, kind in named
        if inspect.isclass(kind) and issubclass(kind, base) and kind is not base
    }


OPTIMIZERS = _public_kinds(optimizers, optimizers.Optimizer)
SCHEDULES = _public_kinds(schedules, schedules.Schedule)
LOSSES = _public_kinds(losses, losses.Loss)


def _named(name: str) -> Callable[[], str]:
    """Return a function that returns a name, which is all that Python takes for it."""
    return lambda: name


#: `random` alone has a setting.
INITIALIZERS: dict[str, Callable[..., Any]] = {
    name: initializers.Random if name == "random" else _named(name) for name in initializers.NAMES
}


@dataclass(frozen=True)
class Setting:
    """What an option like ``--optimizer adamw:beta1=0.95`` asks for.

    Attributes
    ----------
    text : str
        As it was written.
    name : str
        Of the kind, ``adamw``.
    kind : callable
        The class.
    given : dict of str to value
        Settings, by the names that Python has for them.
    """

    text: str
    name: str
    kind: Callable[..., Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of the settings that the kind takes."""
        return tuple(inspect.signature(self.kind).parameters)

    def make(self, **defaults: Any) -> Any:
        """Return the object; `defaults` are used where the kind takes them and nobody gave them.

        Raises
        ------
        SettingError
            If a value is out of range, or one is missing that has no default.
        """
        known = {name: value for name, value in defaults.items() if name in self.takes}
        values = known | dict(self.given)
        parameters = inspect.signature(self.kind).parameters.items()
        missing = [n for n, p in parameters if p.default is p.empty and n not in values]
        if missing:
            raise SettingError(
                f"{self.name} needs {' and '.join(map(dashed, missing))}; "
                f"write {self.name}:{','.join(f'{dashed(name)}=…' for name in missing)}"
            )
        return self.kind(**values)


def setting_of(kinds: Mapping[str, Callable[..., Any]]) -> Callable[[str], Setting]:
    """Return the type of an option that names one of these kinds, with settings after a colon."""

    def setting(text: str) -> Setting:
        asked, _, rest = text.partition(":")
        plain = {_plain(name): name for name in kinds}
        name = plain.get(_plain(asked))
        if name is None:
            hint = closest(asked.lower(), kinds)
            raise argparse.ArgumentTypeError(
                f"{asked!r} is not one of {', '.join(kinds)}" + (f"; {hint}" if hint else "")
            )
        bare = Setting(text, name, kinds[name])
        return Setting(text, name, kinds[name], _parse_settings(rest, bare))

    return setting


def _plain(name: str) -> str:
    """Return a name without what people write differently: case, dashes and underscores."""
    return re.sub(r"[-_ ]", "", name).lower()


def _parse_settings(text: str, setting: Setting) -> dict[str, Any]:
    """Return the settings of `key=value,key=value`; refuse those that the kind does not take."""
    found: dict[str, Any] = {}
    takes = {_plain(name): name for name in setting.takes}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        name = takes.get(_plain(key))
        if not equals or name is None:
            known = ", ".join(f"{dashed(one)}=…" for one in setting.takes) or "no settings"
            raise argparse.ArgumentTypeError(f"{setting.name} takes {known}; got {part!r}")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    """Return a number, True, False or None as Python reads it; else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False, "none": None}.get(text.lower(), text)
