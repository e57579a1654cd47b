"""Curves over epochs as a small SVG picture, without a plotting library."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["curves_svg"]

Array = np.ndarray[Any, np.dtype[np.float64]]

WIDTH, HEIGHT = 260, 130  # of a picture, in pixels
LEFT, RIGHT, TOP, BOTTOM = 62, 10, 22, 20  # margins around the curves
MAX_POINTS = 200  # of a curve; more would not be seen
#: Colours and dashes of the first, second … curve: Okabe and Ito's blue and vermillion.
STYLES = ('stroke="#0072B2"', 'stroke="#D55E00" stroke-dasharray="4 2"')


def curves_svg(title: str, curves: Mapping[str, Array]) -> str:
    """Return a picture of at most two curves (epochs,) by name, or "" where nothing is finite.

    The axis is logarithmic where the values span more than two decades. What is not finite is left
    out, and a line bridges it.
    """
    values = np.concatenate([np.ravel(curve) for curve in curves.values()])
    values = values[np.isfinite(values)]
    if not values.size:
        return ""
    low, high = float(values.min()), float(values.max())
    scale = (low, high, low > 0 and high > 100 * low)
    epochs = max(map(len, curves.values()))
    lines = (
        f'<polyline points="{_points(curve, epochs, *scale)}" fill="none" stroke-width="1.5" '
        f'stroke-linecap="round" {style}><title>{html.escape(name)}</title></polyline>'
        for (name, curve), style in zip(curves.items(), STYLES, strict=False)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="currentColor" role="img" '
        f'aria-label="{html.escape(title)} over epochs">'
        f"{_frame(title, low, high, epochs)}{''.join(lines)}</svg>"
    )


def _frame(title: str, low: float, high: float, epochs: int) -> str:
    """Return the axes with their ends named."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    texts = (
        (LEFT, TOP - 8, "start", title),
        (LEFT - 4, TOP + 8, "end", f"{high:.4g}"),
        (LEFT - 4, bottom, "end", f"{low:.4g}" if low < high else ""),
        (LEFT, HEIGHT - 6, "start", "epoch 1"),
        (right, HEIGHT - 6, "end", str(epochs) if epochs > 1 else ""),
    )
    return (
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="currentColor"/>'
        + "".join(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>'
            for x, y, anchor, text in texts
            if text
        )
    )


def _points(curve: Array, epochs: int, low: float, high: float, log: bool) -> str:
    """Return the points of a polyline: of a long curve every so many, and the last."""
    places = np.flatnonzero(np.isfinite(curve))
    step = max(1, -(-len(places) // MAX_POINTS))
    places = np.unique(np.concatenate([places[::step], places[-1:]]))
    heights = curve[places]
    if log:
        heights, low, high = np.log(heights), math.log(low), math.log(high)
    shares = (heights - low) / (high - low) if high > low else np.full(len(places), 0.5)
    x = LEFT + (WIDTH - LEFT - RIGHT) * (places / (epochs - 1) if epochs > 1 else 0.5 + 0 * places)
    y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * shares
    points = [f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)]
    return " ".join(points * 2 if len(points) == 1 else points)  # round ends make that one a dot
