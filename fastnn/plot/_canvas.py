"""What all pictures share: Axes, colours, legends and the scale of a cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.optional import require
from fastnn.errors import SettingError

from ._text import disable_legend_mathtext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart with every common kind of colour vision. Yellow is left out:
# a thin yellow line on white is hard to see.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", ":", "-.")
GREY = "#666666"
#: Points of a curve up to which each has a marker.
MAX_MARKED_POINTS = 12
#: About the width of a character of a tick's name, in points.
CHARACTER_WIDTH = 6.0


def import_matplotlib(module: str) -> Any:
    """Import a part of matplotlib, or name the extra that brings it."""
    return require(f"matplotlib.{module}", extra="plot", purpose="drawing")


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (6.4, 4.4)) -> Axes:
    """Return `ax`, checked, or the Axes of a new figure of `size` inches.

    Raises
    ------
    SettingError
        If it is anything but one rectangular Axes of a figure.
    """
    if ax is None:
        ax = import_matplotlib("pyplot").subplots(figsize=size, layout="constrained")[1]
        return ax
    if not isinstance(ax, import_matplotlib("axes").Axes):
        several = isinstance(ax, np.ndarray | Sequence) and not isinstance(ax, str)
        hint = "give one of them, as in axes[0]" if several else "plt.subplots()[1] makes one"
        if hasattr(ax, "add_subplot"):
            hint = "give one of its axes, as figure.subplots() makes them"
        what = (
            f"{type(ax).__name__} of shape {ax.shape}"
            if hasattr(ax, "shape")
            else type(ax).__name__
        )
        raise SettingError(f"ax must be one Axes of Matplotlib, got {what}; {hint}")
    if ax.name != "rectilinear":
        raise SettingError(
            f"ax must be Axes with x and y at right angles, got {type(ax).__name__} ({ax.name}); "
            "make them without projection="
        )
    if ax.figure is None:
        raise SettingError("ax was removed from its figure; give Axes of a figure")
    given: Axes = ax
    return given


def style_axes(ax: Axes) -> None:
    """Remove the upper frame line and draw a faint grid below the data."""
    ax.spines["top"].set_visible(False)
    ax.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def whole_ticks(ax: Axes) -> None:
    """Put ticks of the x axis at whole numbers alone: of epochs, iterations or layers."""
    ticker = import_matplotlib("ticker")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))


def line_style(index: int) -> dict[str, Any]:
    """Return colour and dash of curve `index`: colours first, then the same colours dashed."""
    turn, colour = divmod(index, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": DASHES[turn % len(DASHES)]}


def marker_for(values: NDArray[Any]) -> str:
    """Return the marker of a curve: points where a line through few of them could be invisible."""
    return "o" if np.isfinite(values).sum() <= MAX_MARKED_POINTS else ""


def legend_below(ax: Axes, handles: Sequence[Any], columns: int) -> None:
    """Put a legend under the x label: clear of every curve, of a twin axis and of a title."""
    shift = import_matplotlib("transforms").ScaledTranslation(
        0, -_points_below(ax) / 72, ax.figure.dpi_scale_trans
    )
    legend = ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + shift,
        borderaxespad=0.0,
        ncols=columns,
        frameon=False,
    )
    disable_legend_mathtext(legend)


def _points_below(ax: Axes) -> float:
    """Return how many points the names of ticks and the x label take below the axes."""
    heights = [
        CHARACTER_WIDTH * len(text.get_text()) * math.sin(math.radians(text.get_rotation()))
        for text in ax.get_xticklabels()
        if text.get_rotation()
    ]
    return max(38.0, 14 + max(heights, default=0) + (20 if ax.get_xlabel() else 0))


def scale_cost(ax: Axes, curves: Sequence[NDArray[Any]]) -> None:
    """Make the cost axis logarithmic above two decades, and calm where the cost is constant."""
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 100 * low:
        ax.set_yscale("log")
    elif high - low <= 1e-6 * abs(high):
        room = 0.05 * abs(high) or 0.5
        ax.set_ylim(low - room, high + room)
