"""How much of the data to hold out: the course's guidance by the number of examples."""

from __future__ import annotations

import math

from fastnn._validation import arguments

__all__ = ["proportions"]

SMALL, LARGE = 10_000, 1_000_000
FEW, ENOUGH = 2_000, 10_000  # rows of dev, and of test, at those sizes


def proportions(m: int) -> dict[str, float]:
    """Return shares of dev and test that suit m examples: ``split(X, y, **proportions(len(X)))``.

    Up to 10 000 examples 60/20/20; at a million 98/1/1, for 10 000 examples tell two models apart
    well enough, and beyond that still 10 000 each (Andrew Ng, "Improving Deep Neural Networks",
    week 1). Between the two, dev and test grow from 2 000 to 10 000 examples along a straight line
    over log m.

    Parameters
    ----------
    m : int
        Number of examples, at least 1.

    Returns
    -------
    dict
        ``{"dev": share, "test": share}``.

    Raises
    ------
    SettingError
        If m is not a positive whole number.

    Examples
    --------
    >>> proportions(5_000)
    {'dev': 0.2, 'test': 0.2}
    >>> proportions(1_000_000)
    {'dev': 0.01, 'test': 0.01}
    """
    count = arguments.integer(m, "m", least=1)
    way = math.log(count / SMALL) / math.log(LARGE / SMALL)
    rows = FEW + (ENOUGH - FEW) * min(max(way, 0.0), 1.0)
    share = FEW / SMALL if count <= SMALL else rows / count
    return {"dev": share, "test": share}
