"""Text that shows itself as it prints: summaries of networks, reports of versions."""

from __future__ import annotations


class Text(str):
    """A string that shows itself as it prints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
