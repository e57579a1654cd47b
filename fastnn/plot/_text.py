"""Text of pictures: names as they are written, counts and shares that are not rounded away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: Decimals of a share in per cent at most.
MAX_DECIMALS = 12


def disable_mathtext(*texts: Any) -> None:
    """Keep Matplotlib from reading formulas in texts: a name may hold dollar signs, as "$0-$10"."""
    for text in texts:
        text.set_parse_math(False)


def disable_legend_mathtext(legend: Any) -> None:
    """Keep Matplotlib from reading formulas in the names of a legend."""
    disable_mathtext(*legend.get_texts())


def format_number(value: Any) -> str:
    """Return a count with all its digits, a sum of weights with six, or its whole part."""
    value = float(value) if isinstance(value, float) else value.item()
    if value == int(value):
        return str(int(value))
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.1f}"


def format_percent(share: float, digits: int = 1) -> str:
    """Return a share in per cent; 100 and 0 are said of all and of nothing alone.

    Examples
    --------
    >>> percent(0.5), percent(1.0), percent(1 - 7e-6)
    ('50.0 %', '100.0 %', '99.999 %')
    """
    text = f"{100 * share:.{digits}f}"
    while digits < MAX_DECIMALS and 0 < share < 1 and float(text) in (0, 100):
        digits += 1
        text = f"{100 * share:.{digits}f}"
    return f"{text} %"


def fitting_font_size(texts: Iterable[str], room: int, size: float = 9.0) -> float:
    """Return the font size at which the longest of some texts takes no more than `room` digits."""
    longest = max(map(len, texts), default=0)
    return max(size * min(1.0, room / max(longest, 1)), 3.5)
