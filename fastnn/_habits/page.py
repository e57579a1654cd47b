"""The tables of habits as markdown, for the page of the documentation that lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .keywords import KEYWORDS, MISSING, POSITIONAL
from .names import ATTRIBUTES, CALLED, IMPORTS
from .rows import Row, Rows
from .synonyms import CROSS_ENTROPY, REFUSED, SYNONYMS

#: How text, an argument or a name is typed, by what takes it.
TYPED = {
    "activation": 'Dense(8, "{}")',
    "loss": 'Network(layers, loss="{}")',
    "initialiser": 'Dense(8, init="{}")',
    "optimizer": 'fit(optimizer="{}")',
    "metric": 'fit(metrics=["{}"])',
    "curve": 'EarlyStopping("{}")',
}
#: What the tables of keywords are called where they are of no one callable.
PLACES = {
    "optimizer": "an optimiser",
    "loss": "a loss",
    "schedule": "a schedule",
    "callback": "a callback",
    "estimator": "an estimator",
    "estimator.fit": "`fit` of an estimator",
    "estimator.predict": "`predict` of an estimator",
}


def _merged(rows: Rows) -> Iterator[tuple[list[str], Row]]:
    """Yield rows with all names that get the same answer, in their order."""
    found: dict[Row, list[str]] = {}
    for name, row in rows.items():
        found.setdefault(row, []).append(name)
    for row, names in found.items():
        yield names, row


def _lines(rows: Rows, typed: str, renamed: str) -> Iterator[str]:
    """Yield a line for each answer: what is typed, whose users type it, what to type here."""
    for names, row in _merged(rows):
        shown = ", ".join(f"`{typed.format(name)}`" for name in names)
        here = f"`{renamed.format(row.answer)}`" if row.renames else row.answer
        yield f"| {shown} | {', '.join(row.users)} | {here} |"


def _table(title: str, here: str, lines: Iterator[str]) -> str:
    """Return one table under its title."""
    head = [f"## {title}", "", f"| typed | by users of | {here} |", "| :-- | :-- | :-- |"]
    return "\n".join([*head, *lines])


def _values(tables: Mapping[str, Rows]) -> Iterator[str]:
    """Yield the lines of names given as text."""
    for noun, rows in tables.items():
        yield from _lines(rows, TYPED[noun], "{}" if noun == "optimizer" else '"{}"')


def _keywords() -> Iterator[str]:
    """Yield the lines of arguments."""
    for place, rows in KEYWORDS.items():
        of = PLACES.get(place)
        start = "{}=…" if of else f"{place}({{}}=…)"
        for line in _lines(rows, start, "{}="):
            yield line.replace("| ", f"| {of}: ", 1) if of else line
    yield from _lines(MISSING["Network.fit"], "Network.fit(X)", "")
    yield from _lines(POSITIONAL["Network"], "Network(Dense(8), Dense(1))", "")


def _attributes() -> Iterator[str]:
    """Yield the lines of attributes, and of objects that are called."""
    names = {"Network": "net", "History": "history", "Parameters": "net.parameters"}
    for place, rows in ATTRIBUTES.items():
        yield from _lines(rows, f"{names[place]}.{{}}", "{}")
    for place, rows in CALLED.items():
        yield from _lines(rows, f"{names[place]}()", "{}")


def tables() -> str:
    """Return all tables, one after the other."""
    both = "the partner of a sigmoid or softmax output"
    accepted = [*_values(SYNONYMS)] + [
        line.replace('`"cross_entropy"`', both)
        for line in _lines(CROSS_ENTROPY, TYPED["loss"], '"{}"')
    ]
    return "\n\n".join(
        [
            _table("Names that are accepted", "is kept as", iter(accepted)),
            _table("Names that mean something else", "what to do", _values(REFUSED)),
            _table("Arguments", "here", _keywords()),
            _table("Attributes and calls", "here", _attributes()),
            _table("Imports", "here", _lines(IMPORTS, "{}", "{}")),
        ]
    )
