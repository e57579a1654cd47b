"""Mistakes as pictures: the examples that a network got most wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.errors import DataError, SettingError, ShapeError

from ._canvas import axes_or_new
from ._text import disable_mathtext, format_percent
from .pictures import WRONG, image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.network import Network


def most_wrong(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    shape: Sequence[int],
    *,
    count: int = 12,
    classes: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the images whose true class was given the least probability, the worst first.

    Parameters
    ----------
    net : Network
        With one sigmoid or a softmax.
    X : array (m, n)
        Flat images.
    y : array (m,)
        True labels 0…K−1.
    shape : (h, w) or (h, w, 3)
        Of the images whose flat rows X holds.
    count : int
        How many to draw at most; right answers are never drawn.
    classes : sequence (K,), optional
        Names of the classes.
    ax : Axes, optional
        Where to draw; a new figure without it. It is filled by one small picture each.

    Returns
    -------
    Axes
        The axes around the pictures, which are its ``child_axes``. A picture's title says the true
        class with the probability that the network gave it, and what it was taken for.

    Raises
    ------
    ShapeError, DataError, SettingError
        As `Network.predict_proba`; if y or shape do not fit X; if count is not positive.

    Examples
    --------
    >>> from fastnn import Network, data, plot
    >>> digits = data.digits()
    >>> net = Network.mlp([64, 10], output="softmax", rescale=1 / 16)
    >>> X = data.flatten_images(digits.X)
    >>> ax = plot.most_wrong(net, X[:50], digits.y[:50], (8, 8), count=6)
    >>> len(ax.child_axes)
    6
    """
    X, labels = np.asarray(X), np.asarray(y)
    if labels.shape != X.shape[:1]:
        raise ShapeError(f"y must hold one label for each row of X, {X.shape}; got {labels.shape}")
    if X.ndim != 2 or math.prod(shape) != X.shape[1]:
        raise ShapeError(f"shape {tuple(shape)} does not fit rows X of shape {X.shape}")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SettingError(f"count must be a whole number of at least 1, got {count!r}")
    P, taken = net.predict_proba(X), net.predict(X)
    if taken.ndim != 1 or not np.isin(labels, range(P.shape[1])).all():
        raise DataError(f"y must hold one label 0…{P.shape[1] - 1} for each example")
    labels = labels.astype(np.int64)
    names = range(P.shape[1]) if classes is None else classes
    if len(names) != P.shape[1]:
        raise SettingError(f"classes has {len(names)} names for {P.shape[1]} classes")
    wrong = np.flatnonzero(taken != labels)
    order = np.argsort(P[wrong, labels[wrong]], kind="stable")
    worst = wrong[order][:count]
    across = max(1, min(len(worst), math.ceil(math.sqrt(1.5 * len(worst)))))
    down = max(1, -(-len(worst) // across))
    ax = axes_or_new(ax, (1.6 * max(across, 2), 1.75 * down + 0.5))
    ax.set_axis_off()
    ax.set_title(f"{len(wrong)} of {len(X)} wrong, the worst first", fontsize=10)
    for place, i in enumerate(worst):
        row, column = divmod(place, across)
        # The upper quarter of a cell is for its title.
        box = ((column + 0.06) / across, 1 - (row + 0.97) / down, 0.88 / across, 0.74 / down)
        small = image(X[i].reshape(shape), ax=ax.inset_axes(box))
        true = names[labels[i]]
        text = f"{true}, not {names[taken[i]]}\n({true}: {format_percent(float(P[i, labels[i]]))})"
        disable_mathtext(small.set_title(text, fontsize=8, color=WRONG, pad=2))
    return ax
