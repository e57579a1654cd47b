"""Text: strings that show themselves as they print, and counted nouns."""

from __future__ import annotations


class Text(str):
    """A string that shows itself as it prints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def plural(count: int, noun: str) -> str:
    """Return a count and its noun, which takes an s unless the count is 1.

    Examples
    --------
    >>> plural(1, "epoch"), plural(1500, "example"), plural(0, "row")
    ('1 epoch', '1,500 examples', '0 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
