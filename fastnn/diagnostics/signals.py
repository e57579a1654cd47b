"""The signal in a network: how activations and gradients fare from layer to layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import initializers
from fastnn._display.report import Report
from fastnn._display.table import Table
from fastnn._validation import arguments
from fastnn.network import Network

from ..errors import SettingError
from ..layers import Activation, Dense
from ._verdict import verdict_of
from .layer_signal import LayerSignal

__all__ = ["DepthExperiment", "LayerSignal", "Signal", "depth_experiment", "diagnose", "signal"]

Array = np.ndarray[Any, Any]
EDGE = 0.01  # of sigmoid's range (0, 1) and of tanh's (−1, 1): beyond it a unit is saturated


@dataclass(frozen=True, repr=False)
class Signal(Report):
    """The layers' signals from input to output; it prints, and `plot.signal` draws it.

    Attributes
    ----------
    layers : tuple of LayerSignal
        One for each layer.
    """

    layers: tuple[LayerSignal, ...]

    @property
    def verdict(self) -> str:
        """What is wrong: vanishing, exploding, dead or saturated; or that nothing is."""
        return verdict_of(self.layers)

    def _parts(self) -> list[Table | str]:
        learns = any(row.gradient is not None for row in self.layers)
        header = ["layer", f"{'mean':>9}", f"{'spread':>9}", " dead", "saturated"]
        rows = []
        for row in self.layers:
            cells = [row.name, f"{row.mean:>9.2e}", f"{row.spread:>9.2e}"]
            cells += [f"{row.dead:>5.0%}", f"{row.saturated:>9.0%}"]
            if row.gradient is not None and row.ratio is not None:
                cells += [f"{row.gradient:>9.2e}", f"{row.ratio:>8.1e}"]
            rows.append(cells)
        header += [f"{'‖dW‖':>9}", "update/W"] if learns else []
        return [Table(header, rows), self.verdict]


def _measure(A: Array, activation: str | None) -> tuple[float, float, float, float]:
    """Return mean, spread, dead share and saturated share of A (m, units)."""
    dead = saturated = 0.0
    if activation == "relu":
        dead = float((A == 0).all(axis=0).mean())
    elif activation == "tanh":
        saturated = float((np.abs(A) > 1 - EDGE).mean())
    elif activation == "sigmoid":
        saturated = float(((A < EDGE) | (A > 1 - EDGE)).mean())
    wide = A.astype(np.float64)
    return float(wide.mean()), float(wide.std()), dead, saturated


def _describe(
    net: Network, X: Any, gradients: Mapping[str, Array] | None, learning_rate: float
) -> Signal:
    """Return the signal for rows X (m, n), with gradients by name where there are some."""
    rows, number, last = [], 0, len(net.layers) - 1
    with np.errstate(over="ignore", invalid="ignore"):
        for place, (layer, A) in enumerate(zip(net.layers, net.activations(X), strict=True)):
            dense = isinstance(layer, Dense)
            number += dense
            kind = getattr(layer, "activation", getattr(layer, "function", None))
            name = getattr(layer, "name", None) or (f"dense{number}" if dense else "")
            slope = ratio = None
            if dense and gradients is not None:
                slope = float(np.linalg.norm(gradients[f"W{number}"].astype(np.float64)))
                size = float(np.linalg.norm(net.parameters[f"W{number}"].astype(np.float64)))
                ratio = learning_rate * slope / size if size else np.inf if slope else 0.0
            hidden = isinstance(layer, Dense | Activation) and place < last
            name = name or (kind or type(layer).__name__.lower())
            rows.append(LayerSignal(name, *_measure(A, kind), slope, ratio, hidden))
    return Signal(tuple(rows))


def signal(net: Network, X: Any) -> Signal:
    """Report how the activations fare from layer to layer, without dropout.

    Parameters
    ----------
    net : Network
        Built.
    X : array (m, n)
        Some examples; a few hundred are enough.

    Returns
    -------
    Signal
        Mean, spread, dead and saturated share of each layer's A, and a verdict; it prints.

    Raises
    ------
    ShapeError, DataError, NotBuiltError
        As `Network.predict`.
    """
    return _describe(net, X, None, 0.0)


def diagnose(
    net: Network, X: Any, y: Any, *, learning_rate: float = 0.01, l2: float = 0.0
) -> Signal:
    """Report as `signal` does, and ‖dW‖ and the ratio of a step to the weights besides.

    Parameters
    ----------
    net, X
        As in `signal`.
    y : array
        Targets, as for `Network.fit`.
    learning_rate : float
        Of the step of gradient descent whose size is compared with the weights', positive.
    l2 : float
        λ, as in `Network.fit`.

    Returns
    -------
    Signal
        With `.gradient` and `.ratio` in each layer that has weights; it prints.
    """
    rate = arguments.real(learning_rate, "learning_rate", above=0)
    with np.errstate(over="ignore", invalid="ignore"):
        gradients = net.cost_and_gradients(X, y, l2=l2)[1]
    return _describe(net, X, gradients, rate)


@dataclass(frozen=True, repr=False)
class DepthExperiment(Report, Mapping[str, Signal]):
    """Signals of one deep network by initialiser; it prints, and `plot.signal` draws it."""

    signals: Mapping[str, Signal]

    @property
    def spreads(self) -> dict[str, Array]:
        """The spread (depth,) of each hidden layer's A, by initialiser."""
        return {
            name: np.array([row.spread for row in one.layers if row.hidden])
            for name, one in self.signals.items()
        }

    def __getitem__(self, name: str) -> Signal:
        return self.signals[name]

    def __iter__(self) -> Any:
        return iter(self.signals)

    def __len__(self) -> int:
        return len(self.signals)

    def _parts(self) -> list[Table | str]:
        spreads = self.spreads
        depth = len(next(iter(spreads.values())))
        some = sorted({0, *(round(k * (depth - 1) / 5) for k in range(1, 6))})
        header = [" " * 6, *(f"{layer + 1:>8}" for layer in some)]
        rows = [[name, *(f"{values[k]:>8.1e}" for k in some)] for name, values in spreads.items()]
        return ["Spread of A in layer", Table(header, rows)]


#: What the course contrasts: too small, too large, and He's (for relu).
WEIGHTS: dict[str, str | initializers.Initializer] = {
    "small": "small",
    "large": initializers.Random(scale=1.0),
    "he": "he",
}


def depth_experiment(
    depth: int = 50,
    *,
    width: int = 100,
    examples: int = 200,
    activation: str = "relu",
    weights: Mapping[str, str | initializers.Initializer] | None = None,
    seed: int = 0,
) -> DepthExperiment:
    """Send random inputs through one deep, untrained network under several initialisers.

    Each layer multiplies the spread by about the same factor, so that after many layers a factor
    below 1 leaves nothing and one above 1 overflows; He's √(2/n_in) keeps it near 1 for relu.

    Parameters
    ----------
    depth, width : int
        Hidden layers, and units of each (and features).
    examples : int
        Rows of normal random numbers.
    activation : str
        Of the hidden layers.
    weights : mapping, optional
        Initialisers by what to call them; by default "small" (randn · 0.01), "large" (randn) and
        "he".
    seed : int
        Of inputs, labels and weights.

    Returns
    -------
    DepthExperiment
        A mapping from those names to the `Signal` of each network, gradients included.

    Raises
    ------
    SettingError
        If a number is not positive, or activation or initialiser is unknown.
    """
    count = arguments.count(depth, "depth", least=1)
    n, m = arguments.count(width, "width", least=1), arguments.count(examples, "examples", least=1)
    chosen = WEIGHTS if weights is None else weights
    if not chosen:
        raise SettingError("weights is empty; give at least one initialiser by name")
    rng = np.random.default_rng(arguments.seed(seed))
    X, y = rng.standard_normal((m, n)), rng.integers(0, 2, m)
    found = {}
    for name, init in chosen.items():
        layers = [*(Dense(n, activation) for _ in range(count)), Dense(1, "sigmoid")]
        # float32 would underflow long before layer 50, and hide by how much.
        net = Network(layers, inputs=n, init=init, seed=seed, dtype="float64")
        found[name] = diagnose(net, X, y)
    return DepthExperiment(found)
