"""Reports: sentences and tables that print as text and that a notebook shows as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .table import Table

__all__ = ["Report", "to_html", "to_text"]


class Report:
    """What states its parts once: tables, and sentences of one or more lines.

    A dataclass that inherits from it says ``repr=False``.
    """

    def _parts(self) -> Sequence[Table | str]:
        """Return what is shown, from top to bottom; "" is a blank line of the text."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it shows")

    def __repr__(self) -> str:
        return to_text(self._parts())

    def _repr_html_(self) -> str:
        return to_html(self._parts())


def to_text(parts: Sequence[Table | str]) -> str:
    """Return tables and sentences one below the other."""
    return "\n".join(part.text() if isinstance(part, Table) else part for part in parts)


def to_html(parts: Sequence[Table | str]) -> str:
    """Return tables and sentences as one HTML element."""
    shown = (
        part.html() if isinstance(part, Table) else
        f'<p style="margin: 0.3em 0; white-space: pre-wrap">{html.escape(part)}</p>'
        for part in parts
        if part
    )  # fmt: skip
    return "\n".join(["<div>", *shown, "</div>"])
