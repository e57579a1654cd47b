"""Answers to habits: a synonym becomes our name, and anything else one sentence that names ours.

An unknown name without an entry in the tables gets the nearest known one, if any is near.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from fastnn.errors import SettingError

# The tables are imported where a name is not ours, and not by programs that make no mistake.
if TYPE_CHECKING:
    from .rows import Row

P = ParamSpec("P")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=type)


def fold(name: str) -> str:
    """Return a name without case, hyphens and blanks."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a misspelt one is nearest to, or None if none is near."""
    from difflib import get_close_matches  # only a mistake needs it

    folded = {fold(each): each for each in known}
    found = get_close_matches(fold(name), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else None


def synonym(noun: str, name: Any, known: Collection[str]) -> str | None:
    """Return our name for what a text names, or None if nothing known is meant."""
    if not isinstance(name, str):
        return None
    if name in known:
        return name
    from .synonyms import SYNONYMS

    folded = fold(name)
    row = SYNONYMS.get(noun, {}).get(folded)
    if row is not None and row.answer in known:
        return row.answer
    return next((each for each in known if fold(each) == folded), None)


def means_cross_entropy(name: str) -> bool:
    """Return whether a text names the cross-entropy of whichever output there is."""
    from .synonyms import CROSS_ENTROPY

    return fold(name) in CROSS_ENTROPY


def resolve(noun: str, name: Any, known: Collection[str], more: str = "") -> str:
    """Return our name for what a text names.

    Parameters
    ----------
    noun : str
        What is named, as tables and the error call it.
    name : object
        What was given.
    known : collection of str
        Our names.
    more : str
        What may be given beside them, for the error.

    Raises
    ------
    SettingError
        If nothing known is meant: with what to take instead, the nearest name, or all of them.
    """
    found = synonym(noun, name, known)
    if found is None:
        refuse(noun, name, known, more)
    return found


def refuse(noun: str, name: Any, known: Collection[str], more: str = "") -> NoReturn:
    """Raise the sentence about a name that does not exist."""
    from .synonyms import REFUSED

    row = REFUSED.get(noun, {}).get(fold(str(name)))
    if row is not None:
        raise SettingError(f"{noun} {name!r} does not exist; {row.answer}")
    nearest = near(name, known) if isinstance(name, str) else None
    if nearest is not None:
        raise SettingError(f"{noun} {name!r} does not exist; did you mean {nearest!r}?")
    raise SettingError(f"{noun} {name!r} does not exist; choose one of {', '.join(known)}{more}")


def curve_name(name: Any, known: Collection[str]) -> str | None:
    """Return the history's name for a curve, as Keras or we call it, or None if it has none."""
    found = synonym("curve", name, known)
    if found is None and isinstance(name, str):
        from .rows import Row
        from .synonyms import SYNONYMS

        bare = name.removeprefix("validation_").removeprefix("val_")
        prefix = "validation_" if bare != name else ""
        ours = SYNONYMS["metric"].get(fold(bare), Row(bare, ())).answer
        found = f"{prefix}{ours}" if f"{prefix}{ours}" in known else None
    return found


def _answer(row: Row) -> str:
    """Return the end of a sentence."""
    return f"here it is {row.answer}" if row.renames else row.answer


def unknown_keyword(place: str, kinds: Iterable[str], name: str, known: Collection[str]) -> str:
    """Return the sentence about a keyword that a callable does not take."""
    from .keywords import KEYWORDS

    start = f"{place}() got an unexpected keyword argument {name!r}"
    for table in (place, *kinds):
        row = KEYWORDS.get(table, {}).get(name)
        if row is not None and (not row.renames or row.answer in known):
            return f"{start}; {_answer(row)}"
    nearest = near(name, known)
    if nearest is not None:
        return f"{start}; did you mean {nearest!r}?"
    return f"{start}; it takes {', '.join(known) or 'none'}"


def explained(place: str, *kinds: str) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Return a decorator: a TypeError about arguments is one sentence that names ours.

    The signature stays as it is, for people, type checkers and `inspect`.

    Parameters
    ----------
    place : str
        What the callable is called, in tables and in the sentence.
    kinds : str
        Further tables that are looked into.
    """

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        known, most = frozenset(names), code.co_argcount
        least = most - len(function.__defaults__ or ())

        @wraps(function)
        def call(*args: P.args, **settings: P.kwargs) -> Result:
            if not settings and least <= len(args) <= most:
                # A row of a small network takes 3 µs, this way 0.1 of them.
                return function(*args)  # type: ignore[call-arg]
            if len(args) > most or len(args) < least or not known.issuperset(settings):
                _check_call(place, kinds, (names, most, least), len(args), settings)
            return function(*args, **settings)

        return call

    return decorate


def _check_call(
    place: str, kinds: Iterable[str], takes: tuple[tuple[str, ...], int, int], given: int,
    settings: Collection[str],
) -> None:  # fmt: skip
    """Raise a TypeError about arguments that a callable does not take, or lacks.

    takes: names of arguments, with `self` or `cls` before those of a method; how many go by
    position at most, and at least.
    """
    from .keywords import MISSING, POSITIONAL

    names, most, least = takes
    own = int(names[0] in ("self", "cls"))
    for name in settings:
        if name not in names:
            raise TypeError(unknown_keyword(place, kinds, name, names[own:]))
    if given > most:
        listed = ", ".join(names[own:most])
        by_position = f"{most - own} ({listed})" if most > own else "none"
        row = POSITIONAL.get(place, {}).get("*")
        rest = f"give the others by name, as in {names[most]}=…" if names[most:] else "leave it out"
        raise TypeError(
            f"{place}() takes {by_position} by position, and got {given - own}; "
            f"{rest if row is None else row.answer}"
        )
    for name in names[given:least]:
        row = MISSING.get(place, {}).get(name)
        if name not in settings and row is not None:
            raise TypeError(f"{place}() misses its argument {name!r}; {row.answer}")


def explain(kind: Kind, *kinds: str) -> Kind:
    """Let the constructor of a class explain its arguments, and return the class."""
    decorate = explained(kind.__name__, *kinds)
    setattr(kind, "__init__", decorate(vars(kind)["__init__"]))  # noqa: B010 - mypy knows no method
    return kind


def missing_attribute(thing: Any, name: str, place: str) -> AttributeError:
    """Return the error about an attribute that an object of the class `place` lacks.

    If a property of that name raised an AttributeError, that error comes again.
    """
    from .names import ATTRIBUTES

    if hasattr(type(thing), name):
        object.__getattribute__(thing, name)
    start = f"{type(thing).__name__!r} object has no attribute {name!r}"
    if name.startswith("_"):
        return AttributeError(start)
    row = ATTRIBUTES.get(place, {}).get(name)
    if row is not None:
        return AttributeError(f"{start}; {row.answer}")
    nearest = near(name, [each for each in dir(thing) if not each.startswith("_")])
    return AttributeError(start if nearest is None else f"{start}; did you mean {nearest!r}?")


def not_callable(place: str) -> TypeError:
    """Return the error about an object that is called."""
    from .names import CALLED

    return TypeError(f"{place!r} object is not callable; {CALLED[place]['()'].answer}")


def missing_import(module: str, name: str, known: Collection[str], depth: int = 2) -> Exception:
    """Return the error about a name that a module lacks.

    An AttributeError; but an ImportError for a statement ``from … import``, which would keep the
    sentence of an AttributeError to itself.

    Parameters
    ----------
    depth : int
        How many frames above this one the name was asked for.
    """
    start = f"module {module!r} has no attribute {name!r}"
    if name.startswith("_"):  # Python itself asks for `__path__` at every import from a module
        return AttributeError(start)
    from .names import IMPORTS

    imported = _imports(sys._getframe(depth))
    if imported:
        start = f"cannot import name {name!r} from {module!r}"
    nearest = None if name in IMPORTS else near(name, known)
    if name in IMPORTS:
        start += f"; {_answer(IMPORTS[name])}"
    elif nearest is not None:
        start += f"; did you mean {nearest!r}?"
    return ImportError(start, name=module) if imported else AttributeError(start)


def _imports(frame: FrameType) -> bool:
    """Return whether a frame is within a statement ``from … import``."""
    from dis import opmap  # only a mistake needs it

    code = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(code) and code[frame.f_lasti] == opmap.get("IMPORT_FROM")


def lacks(module: str, known: Collection[str]) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a module that has no names but those that it defines."""

    def ask(name: str) -> NoReturn:
        raise missing_import(module, name, known)

    return ask
