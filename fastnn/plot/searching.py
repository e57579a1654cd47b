"""Pictures of a search: the score of every trial, and which parameter mattered."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from fastnn.errors import DataError
from fastnn.spaces import Choice

from ._canvas import (
    BLUE,
    GREY,
    VERMILLION,
    axes_or_new,
    import_matplotlib,
    legend_below,
    style_axes,
)
from ._text import disable_mathtext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.tuning.search import Search

#: Characters of a value under the axis at most.
MAX_LABEL_LENGTH = 16
#: Bars for which the axis has room at least, for one alone would fill the picture.
MIN_BARS = 5


def search(result: Search, *, ax: Axes | None = None) -> Axes:
    """Draw every trial's score over the parameter that mattered most, and bars of what mattered.

    Parameters
    ----------
    result : Search
        From `fastnn.tune`; pruned trials are hollow, at their last score.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes of the scores; the bars stand to the right of them, in axes of their own.

    Raises
    ------
    DataError
        If `result` is something else, or none of its trials has a score.

    Examples
    --------
    >>> from fastnn import plot, spaces
    >>> from fastnn.tuning.search import Search
    >>> trial = {"number": 0, "parameters": {"l2": 0.1}, "score": 0.9, "epochs": 5}
    >>> trials = [trial | {"state": "finished"}]
    >>> ax = plot.search(Search(trials, {"l2": spaces.Log(1e-3, 10)}, "validation_accuracy"))
    >>> ax.get_xlabel()
    'l2'
    """
    if not all(hasattr(result, name) for name in ("trials", "importance", "space")):
        raise DataError(f"the picture needs what fastnn.tune returns, got {type(result).__name__}")
    scored = [trial for trial in result.trials if trial["score"] is not None]
    if not scored:
        raise DataError("no trial of this search has a score; there is nothing to draw")
    ax = axes_or_new(ax, (9.0, 4.4))
    style_axes(ax)
    ax.spines["right"].set_visible(False)
    name = next(iter(result.importance))
    places = _places(ax, result, name, scored)
    best = None if all(t["state"] == "pruned" for t in scored) else result.ranking[0]["number"]
    for x, trial in zip(places, scored, strict=True):
        first = trial["number"] == best
        colour = VERMILLION if first else BLUE
        fill = "none" if trial["state"] == "pruned" else colour
        # The best in front: of one score with it are often others, at the same choice too.
        style: dict[str, Any] = {"color": colour, "zorder": 3 if first else 2}
        ax.plot([x], [trial["score"]], "o", markersize=5, markerfacecolor=fill, **style)
    disable_mathtext(ax.set_xlabel(name))
    ax.set_ylabel(result.monitor.replace("_", " "))
    ax.set_title("trials")
    _name_dots(ax, best is not None, {trial["state"] for trial in scored})
    _bars(ax, result)
    return ax


def _name_dots(ax: Axes, has_best: bool, states: set[str]) -> None:
    """Name the kinds of dots that there are: the best trial, others, and pruned ones."""
    kinds = [("best", VERMILLION, VERMILLION)] if has_best else []
    kinds += [("finished", BLUE, BLUE)] if "finished" in states else []
    kinds += [("pruned", BLUE, "none")] if "pruned" in states else []
    line = import_matplotlib("lines").Line2D
    style: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none"}
    legend_below(
        ax,
        [line([], [], color=c, markerfacecolor=fill, label=n, **style) for n, c, fill in kinds],
        columns=len(kinds),
    )


def _places(ax: Axes, result: Search, name: str, scored: list[dict[str, Any]]) -> list[float]:
    """Scale the x axis as the parameter's space is scaled; return where the trials stand."""
    part = result.space[name]
    values = [trial["parameters"][name] for trial in scored]
    if isinstance(part, Choice):
        names = [str(v)[:MAX_LABEL_LENGTH] for v in part.values]
        long = sum(map(len, names)) > 30
        ax.set_xticks(
            range(len(names)), names, rotation=30 if long else 0, ha="right" if long else "center",
            parse_math=False,
        )  # fmt: skip
        ax.set_xlim(-0.5, len(names) - 0.5)
        return [part.place(value) for value in values]
    box = part.box
    if box.log and part.value(box.low) == box.low:
        ax.set_xscale("log")
        # Over about one decade Matplotlib names every tick, and the names overlap.
        ax.xaxis.set_major_locator(import_matplotlib("ticker").LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(import_matplotlib("ticker").FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(import_matplotlib("ticker").NullFormatter())
    return values


def _bars(ax: Axes, result: Search) -> None:
    """Draw the bars beside the scores, in a part of their place if they stand in a grid."""
    importance = result.importance
    place = ax.get_subplotspec()
    if place is None:
        side = ax.inset_axes((1.3, 0.0, 0.45, 1.0))
    else:
        grid = place.subgridspec(1, 2, width_ratios=(3, 2))
        ax.set_subplotspec(grid[0])
        side = ax.figure.add_subplot(grid[1])
    names = list(importance)[::-1]
    side.barh(range(len(names)), [importance[name] for name in names], color=GREY)
    side.set_yticks(range(len(names)), names, parse_math=False)
    side.set_xlim(0, 1)
    side.set_ylim(len(names) - 0.5 - max(len(names), MIN_BARS), len(names) - 0.5)
    side.set_xlabel("share of the ranking explained")
    side.set_title("what mattered")
    if result.caution:
        side.text(
            0.97, 0.03, textwrap.fill(result.caution, 44), transform=side.transAxes, fontsize=8,
            ha="right", va="bottom", color=GREY,
        )  # fmt: skip
    style_axes(side)
    side.spines["right"].set_visible(False)
