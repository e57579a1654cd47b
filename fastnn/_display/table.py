"""A table of text cells, aligned for a terminal or as HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Table"]

Row = Sequence[str]
SIDES = {"l": "left", "r": "right"}


@dataclass(frozen=True)
class Table:
    """Cells of text under the names of their columns.

    Parameters
    ----------
    header : sequence of str
        The names of the columns; () for a table without.
    rows : sequence of sequences of str
        The cells. An empty row draws a line, which separates what stands above and below.
    align : str, optional
        One letter a column, "l" or "r"; without it the first is left and the others right.
    rule : str
        Of what an empty row is in text; "" leaves the line blank.
    """

    header: Row
    rows: Sequence[Row]
    align: str = ""
    rule: str = ""

    def _aligned(self, row: Row) -> list[tuple[str, str]]:
        """Return the cells of a row with the letter of their column."""
        align = self.align or "l" + "r" * len(row)
        return list(zip(row, align, strict=False))

    def text(self) -> str:
        """Return lines of columns two spaces apart; spaces within a cell count."""
        lines = [self.header, *self.rows] if self.header else list(self.rows)
        count = max(map(len, lines))
        widths = [max((len(row[k]) for row in lines if k < len(row)), default=0)
                  for k in range(count)]  # fmt: skip
        whole = sum(widths) + 2 * (count - 1)

        def joined(row: Row) -> str:
            cells = zip(self._aligned(row), widths, strict=False)
            pads = (f"{cell:<{w}}" if side == "l" else f"{cell:>{w}}" for (cell, side), w in cells)
            return "  ".join(pads).rstrip()

        return "\n".join(joined(row) if row else self.rule * whole for row in lines)

    def html(self) -> str:
        """Return a table element with all text escaped."""
        head = "".join(_element("th", cell, side) for cell, side in self._aligned(self.header))
        parts = ["<table>"]
        if self.header:
            parts.append(f"<thead><tr>{head}</tr></thead>")
        parts.append("<tbody>")
        line = ""
        for row in self.rows:
            if row:
                cells = (_element("td", cell, side, line) for cell, side in self._aligned(row))
                parts.append(f"<tr>{''.join(cells)}</tr>")
            line = "" if row else "; border-top: 1px solid"
        return "\n".join([*parts, "</tbody>", "</table>"])


def _element(tag: str, cell: str, side: str, style: str = "") -> str:
    """Return one cell as HTML."""
    text = html.escape(cell.strip())
    return f'<{tag} style="text-align: {SIDES[side]}{style}">{text}</{tag}>'
