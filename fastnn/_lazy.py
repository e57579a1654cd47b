"""Packages that import their modules when a name of one is first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ._habits.answers import missing_import


def attach(
    package: str, places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package.

    Parameters
    ----------
    package : str
        Its `__name__`; the package has an `__all__`, which errors about unknown names choose from.
    places : mapping of str to str
        By module the names that it defines, with spaces between. None is the name of a module.
    """
    homes = {name: place for place, names in places.items() for name in names.split()}

    def find(name: str) -> Any:
        if name in places:
            return importlib.import_module(f"{package}.{name}")
        here = sys.modules[package]
        if name not in homes:
            raise missing_import(package, name, here.__all__)
        found = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(here, name, found)  # the next time Python finds it without asking
        return found

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return find, list_names
