"""The summary: a network's layers, shapes and numbers of parameters as a table."""

from __future__ import annotations

from fastnn._runtime.text import Text
from fastnn.layers import Dense
from fastnn.training.state import NetworkState


def summarize(state: NetworkState) -> Text:
    """Return the table: one line a layer, then the totals."""
    width = state.inputs
    cells, total = [("layer", "output", "parameters")], 0
    cells.append(("input", f"(m, {width or '?'})", ""))
    for layer in state.layers:
        count = "0"
        if isinstance(layer, Dense):
            if width is None:
                count = "?"
            else:
                own = width * layer.units + (layer.units if layer.use_bias else 0)
                count, total = f"{own:,}", total + own
            width = layer.units
        cells.append((_label(layer), f"(m, {width or '?'})", count))
    wide = [max(len(line[column]) for line in cells) for column in range(3)]
    lines = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in cells]
    lines.insert(1, "-" * len(lines[0]))
    known = f"{total:,} parameters" if state.inputs else "sizes known after net.build(n) or fit"
    lines += [lines[1], f"{known}, loss {state.loss.name}, {state.dtype.name}"]
    return Text("\n".join(line.rstrip() for line in lines))


def _label(layer: object) -> str:
    """Return what the table calls a layer."""
    if isinstance(layer, Dense):
        name = f" {layer.name!r}" if layer.name else ""
        return f"Dense{name} {layer.activation}"
    return repr(layer)
