"""Histograms layer by layer: the activations of a network, and its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._validation import arguments
from fastnn.errors import DataError
from fastnn.layers import Activation, Dense

from ._canvas import BLUE, GREY, VERMILLION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.network import Network

BINS = 60


def activation_histogram(net: Network, X: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw how the outputs A of each Dense and Activation layer are distributed.

    A row holds all m · n_out numbers of that layer's A (m, n_out), dropout and noise being off. It
    is named by the layer's place in ``net.layers``, counted from 1, and its function: a Dense
    layer without one is ``identity``, so its A is Z. Dropout, BatchNorm, GaussianNoise and the
    scaling at the front have no row.

    Parameters
    ----------
    net : Network
        Built.
    X : array (m, n_in)
        Some examples.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes: one row a layer, the first at the top; heights are shares of the row's highest.

    Raises
    ------
    ShapeError, DataError, NotBuiltError
        As `Network.predict`.

    Examples
    --------
    >>> from fastnn import Network, data, plot
    >>> X, y = data.circles(50, seed=1)
    >>> ax = plot.activation_histogram(Network.mlp([2, 4, 1], output="sigmoid"), X)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['2: sigmoid', '1: relu']
    """
    values: dict[str, NDArray[Any]] = {}
    for place, (layer, A) in enumerate(zip(net.layers, net.activations(X), strict=True), start=1):
        if isinstance(layer, Dense | Activation):
            g = layer.activation if isinstance(layer, Dense) else layer.function
            values[f"{place}: {g}"] = A
    return _rows(values, "activation A", BLUE, ax)


def gradient_histogram(
    net: Network, X: ArrayLike, y: ArrayLike, *, l2: float = 0.0, ax: Axes | None = None
) -> Axes:
    """Draw how the gradients dW of each Dense layer are distributed.

    A row holds all n_in · n_out numbers of the layer's dW (n_in, n_out), of the mean cost over the
    examples, dropout and noise being off; rows are named as in ``net.cost_and_gradients``, with a
    d before: ``dW1`` belongs to the first Dense layer. Biases, γ and β have no row.

    Parameters
    ----------
    net : Network
        Built.
    X : array (m, n_in)
        Some examples.
    y : array (m,) or (m, K)
        Their targets, as for `Network.fit`.
    l2 : float
        λ, as in `Network.fit`.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes: one row a layer, the first at the top, over log10 of |dW|; zeros are left out, and
        their share stands at the right.

    Raises
    ------
    ShapeError, DataError, NotBuiltError
        As `Network.cost_and_gradients`.

    Examples
    --------
    >>> from fastnn import Network, data, plot
    >>> X, y = data.circles(50, seed=1)
    >>> ax = plot.gradient_histogram(Network.mlp([2, 4, 1], output="sigmoid"), X, y)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['dW2', 'dW1']
    """
    gradients = net.cost_and_gradients(X, y, l2=arguments.real(l2, "l2", least=0))[1]
    sizes = {f"d{name}": np.abs(g) for name, g in gradients.items() if name.startswith("W")}
    logs = {name: np.log10(g[g > 0].astype(np.float64)) for name, g in sizes.items()}
    ax = _rows(logs, "log10 |dW|", VERMILLION, ax)
    for row, g in enumerate(reversed(list(sizes.values()))):
        share = float((g == 0).mean())
        if share:
            text = f"{share:.0%} zero".replace("%", " %")
            ax.text(1.01, row + 0.35, text, transform=ax.get_yaxis_transform(), fontsize=8,
                    color=GREY)  # fmt: skip
    return ax


def _rows(values: Mapping[str, NDArray[Any]], label: str, colour: str, ax: Axes | None) -> Axes:
    """Draw one histogram a row over a common axis; the first row at the top."""
    full = [v[np.isfinite(v)].astype(np.float64).ravel() for v in values.values()]
    filled = [v for v in full if v.size]
    if not filled:
        raise DataError("every number is zero or not finite; there is nothing to draw")
    low, high = min(v.min() for v in filled), max(v.max() for v in filled)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    ax = axes_or_new(ax, (6.4, 1.2 + 0.75 * len(values)))
    for row, one in enumerate(reversed(full)):
        counts = np.histogram(one, edges)[0]
        heights = 0.85 * counts / max(counts.max(), 1)
        ax.stairs(row + heights, edges, baseline=row, fill=True, color=colour, alpha=0.75)
        ax.axhline(row, color=GREY, linewidth=0.6)
    ax.set_yticks(np.arange(len(values)) + 0.4, list(values)[::-1], parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(0, len(values))
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.set_xlabel(label)
    return ax
