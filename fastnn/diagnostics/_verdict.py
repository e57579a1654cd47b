"""The sentence that tells what is wrong with the signal in a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .layer_signal import LayerSignal

FAR = 1000  # first to last hidden layer: a factor beyond which activations vanish or explode
STEEP = 10_000  # the same for the norms of dW
MOST = 0.5  # share of dead units or saturated numbers that is too many


def verdict_of(layers: Sequence[LayerSignal]) -> str:
    """Return what the layers show, in one to four sentences."""
    wrong = [layer.name for layer in layers if not math.isfinite(layer.spread)]
    if wrong:
        return f"The signal explodes: {wrong[0]} gives numbers that are not finite."
    hidden = [layer for layer in layers if layer.hidden]
    found = [*_activations(hidden), *_gradients(layers)]
    for kind in ("dead", "saturated"):
        worst = max(hidden, key=lambda layer: float(getattr(layer, kind)), default=None)
        if worst is not None and getattr(worst, kind) > MOST:
            what = "units are dead" if kind == "dead" else "outputs are saturated"
            found.append(f"{getattr(worst, kind):.0%} of {worst.name}'s {what}.")
    return " ".join(found) or "The signal is healthy."


def _activations(hidden: Sequence[LayerSignal]) -> list[str]:
    """Tell whether the spread of A vanishes or explodes between the hidden layers."""
    silent = [layer.name for layer in hidden if layer.spread == 0]
    if silent:
        return [f"There is no signal from {silent[0]} on: it gives one number for everything."]
    if not hidden:
        return []
    first, last = hidden[0], hidden[-1]
    change = f"A's spread goes from {first.spread:.1e} in {first.name} to {last.spread:.1e} in "
    if last.spread * FAR < first.spread:
        return [f"The signal vanishes: {change}{last.name}."]
    if last.spread > FAR * first.spread:
        return [f"The signal explodes: {change}{last.name}."]
    return []


def _gradients(layers: Sequence[LayerSignal]) -> list[str]:
    """Tell whether the gradient vanishes or explodes on its way back to the first layer."""
    norms = [(layer.name, layer.gradient) for layer in layers if layer.gradient is not None]
    if len(norms) < 2:
        return []
    (first, low), (last, high) = norms[0], norms[-1]
    if not (math.isfinite(low) and math.isfinite(high)):
        return ["The gradient explodes: a dW is not finite."]
    change = f"‖dW‖ goes from {high:.1e} in {last} to {low:.1e} in {first}"
    if low * STEEP < high:
        return [f"The gradient vanishes on its way back: {change}."]
    if low > STEEP * high:
        return [f"The gradient explodes on its way back: {change}."]
    return []
