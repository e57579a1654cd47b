"""Graphs of functions of one number: activations with their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import kernels
from fastnn.activations import NAMES
from fastnn.errors import SettingError
from fastnn.kernels.opcodes import Activation

from ._canvas import axes_or_new, legend_below, line_style, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def activations(
    names: Sequence[str] = ("sigmoid", "tanh", "relu", "leaky_relu"), *, ax: Axes | None = None
) -> Axes:
    """Draw activation functions g(z), solid, and their derivatives g'(z), dashed, for |z| ≤ 5.

    The curves come from the kernels that networks run on, not from formulas of this module.

    Parameters
    ----------
    names : sequence of str
        Activations that act on each number alone (softmax does not).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes, two lines per activation in one colour.

    Raises
    ------
    SettingError
        No name was given, or a name is no elementwise activation.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.activations(["tanh"])
    >>> [line.get_label() for line in ax.lines]
    ['tanh', "tanh, g'"]
    """
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise SettingError("activations needs at least one name, got none")
    z = np.linspace(-5.0, 5.0, 1001)
    values = [_evaluate(name, z) for name in names]
    ax = axes_or_new(ax)
    style_axes(ax)
    ax.spines["right"].set_visible(False)
    for index, (name, (g, slope)) in enumerate(zip(names, values, strict=True)):
        colour = line_style(index)["color"]
        # Where curves coincide (relu and leaky_relu for z > 0) the lower one shows on both sides,
        # and the dashes of one fill the gaps of the next.
        width = 3.0 - 1.6 * index / len(names)
        dashes = (4 * index, (4, 4))
        ax.plot(z, g, color=colour, linewidth=width, label=name)
        ax.plot(z, slope, color=colour, linewidth=1.3, linestyle=dashes, label=f"{name}, g'")
    # Cut the straight lines off: the bends near 0 are what there is to see.
    ax.set_ylim(max(ax.get_ylim()[0], -1.6), min(ax.get_ylim()[1], 2.1))
    ax.set_xlabel("z")
    ax.set_ylabel("g(z), solid;  g'(z), dashed")
    legend_below(ax, ax.lines[::2], columns=min(len(names), 4))
    return ax


def _evaluate(name: str, z: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Run the kernels of one activation: g(z) and g'(z), both of z's shape."""
    ops, known = kernels.get("vectorized"), [other for other in NAMES if other != "softmax"]
    if name not in known:
        raise SettingError(
            f"names must be activations of each number alone ({', '.join(known)}), got {name!r}"
        )
    forward, backward = ops.activations[Activation[name.upper()]]
    Z = z[:, np.newaxis]
    A, dZ = np.empty_like(Z), np.empty_like(Z)
    forward(Z, A)
    backward(np.ones_like(Z), Z, A, dZ)
    return A[:, 0], dZ[:, 0]
