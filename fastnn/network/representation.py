"""How a network shows itself: as the code that describes it, and as HTML in a notebook."""

from __future__ import annotations

from fastnn import losses
from fastnn._display.report import to_html
from fastnn._display.short_repr import in_full
from fastnn.lowering.lower import output_activation
from fastnn.training.state import NetworkState

from .summary import format_totals, layer_table


def as_code(kind: str, state: NetworkState) -> str:
    """Return what describes the network, without what is so by default."""
    layers = f"[{', '.join(map(repr, state.layers))}]"
    settings = {} if state.inputs is None else {"inputs": repr(state.inputs)}
    if in_full():  # digests of studies are of these
        settings |= {"loss": repr(state.loss.name), "dtype": repr(state.dtype.name)}
    else:
        if state.loss != losses.resolve(None, output_activation(state.layers)):
            settings["loss"] = repr(state.loss.name if state.loss.is_default else state.loss)
        defaults = {"init": (state.init, "he"), "seed": (state.seed, 0)}
        defaults["dtype"] = state.dtype.name, "float32"
        settings |= {
            name: repr(value) for name, (value, default) in defaults.items() if value != default
        }
    if state.scale_target:
        settings["scale_target"] = "True"
    if state.precision != "float32":
        settings["precision"] = repr(state.precision)
    return f"{kind}({', '.join([layers, *(f'{name}={v}' for name, v in settings.items())])})"


def as_html(kind: str, state: NetworkState) -> str:
    """Return the summary as a table, and how much the network was trained."""
    trained = repr(state.history) if state.history.epochs else "not trained yet"
    return to_html([kind, layer_table(state), format_totals(state), trained])
