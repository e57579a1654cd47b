"""The summary: a network's layers, shapes and numbers of parameters as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.layers import Dense

if TYPE_CHECKING:
    from .description import Blueprint


class Text(str):
    """A string that shows itself as it prints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summarize(network: Blueprint) -> Text:
    """Return the table: one line a layer, then the totals."""
    width = network.inputs
    rows, total = [("layer", "output", "parameters")], 0
    rows.append(("input", f"(m, {width or '?'})", ""))
    for layer in network.layers:
        count = "0"
        if isinstance(layer, Dense):
            if width is None:
                count = "?"
            else:
                own = width * layer.units + (layer.units if layer.use_bias else 0)
                count, total = f"{own:,}", total + own
            width = layer.units
        rows.append((_label(layer), f"(m, {width or '?'})", count))
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in rows]
    lines.insert(1, "-" * len(lines[0]))
    known = f"{total:,} parameters" if network.inputs else "sizes known after net.build(n) or fit"
    lines += [lines[1], f"{known}, loss {network.loss}, {network.dtype.name}"]
    return Text("\n".join(line.rstrip() for line in lines))


def _label(layer: object) -> str:
    """What the table calls a layer."""
    if isinstance(layer, Dense):
        name = f" {layer.name!r}" if layer.name else ""
        return f"Dense{name} {layer.activation}"
    return repr(layer)
