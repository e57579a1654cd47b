"""Timings side by side: the same work as loops, as whole-array formulas and as compiled code."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastnn.errors import DataError

from ._canvas import BLUE, GREY, ORANGE, VERMILLION, axes_or_new, import_matplotlib, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BACKEND_COLOURS = {"loops": VERMILLION, "vectorized": ORANGE, "jitted": BLUE}
#: Height of a bar, of 1 between the names of two rows.
BAR_HEIGHT = 0.27
#: Characters of a line of a row's name.
NAME_WIDTH = 28


def comparison(rows: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Draw how long loops, vectorized and jitted code take for the same work.

    Grouped horizontal bars on a logarithmic time axis; each says its time and, as "×12", how many
    times faster than the loops it was.

    Parameters
    ----------
    rows : sequence of mappings
        `{"name": str, "loops": s, "vectorized": s, "jitted": s}`, times in seconds; None or an
        absent key stands for a time that was not measured. Other keys are ignored.
    ax : Axes, optional
        Where to draw; a new figure, as high as the rows need, without it.

    Returns
    -------
    Axes
        The axes, the first row at the top.

    Raises
    ------
    DataError
        There are no rows, no times, a row without a name, or a time that is not above 0.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.comparison([{"name": "sigmoid", "loops": 2e-3, "jitted": 1e-6}])
    >>> [text.get_text() for text in ax.texts if "×" in text.get_text()]
    ['1 µs  ×2000']
    """
    table = _check_rows(rows)
    seconds = [time for _, times in table for time in times.values() if time is not None]
    if not seconds:
        raise DataError(f"rows must hold at least one time under {_list_backends()}, got none")
    ax = axes_or_new(ax, (8.0, 1.3 + 0.72 * len(table)))
    left = 10.0 ** (math.floor(math.log10(min(seconds))) - 0.3)
    right = max(seconds) * (max(seconds) / left) ** 0.28
    ax.set_xscale("log")
    ax.set_xlim(left, right)
    for index, (way, colour) in enumerate(BACKEND_COLOURS.items()):
        places = [row + (index - 1) * BAR_HEIGHT for row in range(len(table))]
        _bars(ax, places, [times for _, times in table], way, colour)
    _style_axes(ax, [name for name, _ in table])
    return ax


def _check_rows(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, float | None]]]:
    """Check the rows: name and the three times of each."""
    if isinstance(rows, Mapping) or not len(rows):
        raise DataError("rows must be a sequence with at least one mapping, got " + repr(rows))
    table = []
    for index, row in enumerate(rows):
        if "name" not in row:
            raise DataError(f'rows[{index}] has no "name"; its keys are {sorted(row)}')
        times = {
            way: _check_time(row.get(way), f'rows[{index}]["{way}"]') for way in BACKEND_COLOURS
        }
        table.append((str(row["name"]), times))
    return table


def _check_time(value: Any, name: str) -> float | None:
    """Return a time in seconds, checked, or None for one that was not measured."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be seconds or None, got {value!r}") from error
    if not (math.isfinite(seconds) and seconds > 0):
        raise DataError(f"{name} must be seconds above 0 (None: not measured), got {value!r}")
    return seconds


def _list_backends() -> str:
    """Return the keys that hold times, as text."""
    return ", ".join(f'"{way}"' for way in BACKEND_COLOURS)


def _bars(
    ax: Axes, places: list[float], times: list[dict[str, float | None]], way: str, colour: str
) -> None:
    """Draw the bars of one way and write beside each what it says."""
    left = ax.get_xlim()[0]
    widths = [(row[way] or left) - left for row in times]
    ax.barh(places, widths, height=BAR_HEIGHT * 0.9, left=left, color=colour, label=way)
    for place, row in zip(places, times, strict=True):
        time = row[way]
        ax.annotate(
            "not measured" if time is None else _format_time(time, row["loops"], way),
            (left if time is None else time, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY if time is None else "black",
        )


def _format_time(time: float, loops: float | None, way: str) -> str:
    """Write a time and how many times faster than the loops it is."""
    if loops is None or way == "loops":
        return _format_duration(time)
    ratio = loops / time
    digits = f"{ratio:.3g}" if ratio >= 10 else f"{ratio:.2g}"
    # Through float, to write 33300 and not 3.33e+04.
    return f"{_format_duration(time)}  ×{float(digits):.15g}"


def _format_duration(seconds: float) -> str:
    """Write seconds with three digits and the unit that suits them."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * scale:
            value = seconds / scale
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _style_axes(ax: Axes, names: list[str]) -> None:
    """Name the rows and the axis, and take away what says nothing."""
    ticker = import_matplotlib("ticker")
    rows = [textwrap.fill(name, NAME_WIDTH) for name in names]
    ax.set_yticks(range(len(names)), rows, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(ticker.LogLocator(numticks=6))
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: _format_duration(value)))
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.set_xlabel("time  (×: times faster than loops)")
    ax.grid(visible=True, axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    legend_below(ax, ax.containers, columns=len(BACKEND_COLOURS))
