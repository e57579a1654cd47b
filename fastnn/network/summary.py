"""The summary: a network's layers, shapes and numbers of parameters as a table."""

from __future__ import annotations

from fastnn._display.table import Table
from fastnn._runtime.text import Text, plural
from fastnn.layers import BatchNorm, Dense, Layer
from fastnn.training.state import NetworkState


def summarize(state: NetworkState) -> Text:
    """Return the table: one line a layer, then the totals."""
    return Text(f"{layer_table(state).text()}\n{format_totals(state)}")


def layer_table(state: NetworkState) -> Table:
    """Return the layers with their output shapes and numbers of parameters."""
    width = state.inputs
    rows: list[tuple[str, ...]] = [(), ("input", f"(m, {width or '?'})", "")]
    for layer in state.layers:
        count = _count(layer, width)
        width = layer.units if isinstance(layer, Dense) else width
        shown = "?" if count is None else f"{count:,}"
        rows.append((_label(layer), f"(m, {width or '?'})", shown))
    return Table(("layer", "output", "parameters"), [*rows, ()], align="llr", rule="-")


def format_totals(state: NetworkState) -> str:
    """Return the number of all parameters, the loss and the dtype as one line."""
    known, width, total = "sizes known after net.build(n) or fit", state.inputs, 0
    if width is not None:
        for layer in state.layers:
            total += _count(layer, width) or 0
            width = layer.units if isinstance(layer, Dense) else width
        known = plural(total, "parameter")
    scaled = ", targets scaled" if state.scale_target else ""
    rounded = ", products of bfloat16" if state.precision == "mixed" else ""
    return f"{known}, loss {state.loss.name}, {state.dtype.name}{rounded}{scaled}"


def _count(layer: Layer, width: int | None) -> int | None:
    """Return the number of a layer's parameters, None before its inputs are known."""
    if not isinstance(layer, Dense | BatchNorm):
        return 0
    if width is None:
        return None
    if isinstance(layer, BatchNorm):
        return 2 * width  # γ and β
    return width * layer.units + (layer.units if layer.use_bias else 0)


def _label(layer: Layer) -> str:
    """Return what the table calls a layer."""
    if isinstance(layer, Dense):
        name = f" {layer.name!r}" if layer.name else ""
        return f"Dense{name} {layer.activation}"
    return repr(layer)
