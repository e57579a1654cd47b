"""JSON texts of strangers: what their data would take is known before they are parsed.

Python's objects take up to 25 times the memory of the JSON that describes them. So a text is
scanned first, and what its values can take at most is spent from the budget of its file.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Mapping
from typing import Any

from fastnn.errors import SettingError

SPARE = 4 * 2**20  # bytes of Python's objects that a file of any size may ask for
LONGEST_HEADER = 8 * 2**20  # bytes; a header describes a network, it does not hold one
DEEPEST = 64  # lists and objects within each other
# Bytes that CPython takes at most for a value, with its place in a list or an object.
VALUE, STRING, LIST, OBJECT, KEY = 40, 64, 136, 200, 176
# Of the descriptions of network and training: characters of a string, and bytes that a layer, its
# row in a program and its description take at most.
DESCRIPTION = {"longest": 1000, "item": 2**11}
# A string that is not closed reaches to the end. Possessive repetitions need no memory.
TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{},:]', re.DOTALL)
ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*+\\u")
HALF = re.compile("[\ud800-\udfff]")

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
shown = _short.repr  # of a value from a file: its repr, cut to some 200 characters before it grows


class MemoryBudget:
    """The memory that the texts of one file may take.

    Parameters
    ----------
    header : int
        Bytes of its header, whose strings are kept.
    size : int
        Bytes of the whole file.
    """

    def __init__(self, header: int, size: int) -> None:
        self.left = header + size // 8 + SPARE

    def spend(self, amount: int) -> None:
        """Take bytes away; ValueError if there are none."""
        self.left -= amount
        if self.left < 0:
            raise ValueError("its lists, objects and strings would take too much memory")


def scan(
    text: str, budget: MemoryBudget, *, item: int = OBJECT, longest: int | None = None
) -> None:
    """Spend what the data of a JSON text take at most, which need not be one.

    Parameters
    ----------
    text : str
        What is to be parsed.
    budget : MemoryBudget
        Of its file.
    item : int
        Bytes that an object and what is made of it take.
    longest : int, optional
        Characters of the longest string that can be.

    Raises
    ------
    ValueError
        If the budget is not enough, a string is longer, or lists and objects lie too deep.
    """
    plain = text.isascii()
    escapes = plain and "\\u" in text
    costs = {",": VALUE, "[": LIST, "{": item}
    key, keys, depth = slice(0), set[str](), 0
    cost = len(text) if plain else 8 * len(text)  # the text, and its strings
    for match in TOKENS.finditer(text):
        begin, end = match.span()
        token = text[begin]
        if token == '"':
            if longest is not None and end - begin > longest + 2:
                raise ValueError(f"a string has {end - begin - 2} characters, {longest} can be")
            # Characters of 4 bytes each, which take half as much again while the string grows.
            wide = escapes and ESCAPE.search(text, begin, end)
            cost += STRING + (6 * (end - begin) if wide else 0)
            key = slice(begin, end)
        elif token == ":":
            cost += VALUE if text[key] in keys else VALUE + KEY
            keys.add(text[key])
        else:
            depth += (token in "[{") - (token in "]}")
            if depth > DEEPEST:
                raise ValueError(f"it is nested too deeply, {DEEPEST} levels can be")
            cost += costs.get(token, 0)
        if cost > budget.left:
            break
    budget.spend(cost)


def parse(text: str) -> Any:
    """Return the data of a JSON text; ValueError for repeated keys, NaN and what is not text."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands there twice")
        return found

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        data = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
        _check(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return data


def _check(data: Any) -> None:
    """Refuse halves of surrogate pairs, which cannot be printed, and infinity, read of 1e999."""
    if isinstance(data, str):
        if not data.isascii() and HALF.search(data):
            raise ValueError("half of a surrogate pair is no text")
    elif isinstance(data, float):
        if math.isinf(data):
            raise ValueError("a number leaves the range of float64")
    elif isinstance(data, list):
        for value in data:
            _check(value)
    elif isinstance(data, dict):
        for key, value in data.items():
            _check(key)
            _check(value)


def check_readable(header: bytes, metadata: Mapping[str, str], size: int) -> None:
    """Refuse a header and its strings that a file with so many bytes of tensors cannot hold."""
    if len(header) > LONGEST_HEADER:
        raise SettingError(
            f"description and notes take {len(header)} bytes, and a model file holds "
            f"{LONGEST_HEADER}; make the notes shorter"
        )
    budget = MemoryBudget(len(header), len(header) + size)
    try:
        scan(header.decode(), budget)
        for key in {"network", "training", "checksums", "notes"} & set(metadata):
            limits = {} if key == "notes" else DESCRIPTION
            scan(metadata[key], budget, **limits)
    except ValueError as error:
        raise SettingError(
            f"this network and its notes cannot be loaded again ({error}); make the notes, the "
            "names of layers or the number of layers smaller"
        ) from error
