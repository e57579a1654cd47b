"""Weights as pictures: what each unit of the first layer looks for in an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.text import plural
from fastnn._validation import arguments
from fastnn.errors import SettingError, ShapeError

from ._canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Units that are drawn unless more are asked for.
MAX_UNITS = 100
#: The grey between the units, from 0 for black to 1 for white.
GAP_GREY = 0.75


def first_layer(
    net: Any,
    shape: Sequence[int],
    *,
    units: int | None = None,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the weights of each unit of the first Dense layer as an image.

    Grey images' weights go from blue (negative) over white to red, each unit on its own scale;
    those of colour images are colours, from the unit's least weight to its largest.

    Parameters
    ----------
    net : Network or array (n, units)
        A built network, or the weights W1 themselves.
    shape : (h, w) or (h, w, 3)
        Of the images whose flat rows are the inputs.
    units : int, optional
        How many units to draw, the first ones; by default all, up to 100.
    columns : int, optional
        Images in a row of the picture; by default about as many as there are rows.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes, without ticks; the first unit at the top left.

    Raises
    ------
    ShapeError
        If shape does not fit the number of inputs.
    SettingError
        If units or columns is not a positive whole number, or shape is no image's.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import plot
    >>> ax = plot.first_layer(np.eye(16, 5), (4, 4))
    >>> ax.get_title()
    'weights of 5 units'
    """
    W = np.asarray(net.parameters["W1"] if hasattr(net, "parameters") else net, np.float64)
    most = MAX_UNITS if units is None else arguments.integer(units, "units", least=1)
    tiles = _unit_images(W, tuple(shape), most)
    count, (h, w) = len(tiles), tiles.shape[1:3]
    across = math.ceil(math.sqrt(count * h / w))
    across = across if columns is None else arguments.integer(columns, "columns", least=1)
    across = min(across, count)
    down = -(-count // across)
    gap = max(1, round(min(h, w) / 16))
    # Grey between them, for weights near 0 are white.
    mosaic = np.full((down * (h + gap) - gap, across * (w + gap) - gap, 3), GAP_GREY)
    for k, tile in enumerate(tiles):
        i, j = k // across * (h + gap), k % across * (w + gap)
        mosaic[i : i + h, j : j + w] = tile
    side = 5.6 / max(mosaic.shape[:2])
    ax = axes_or_new(ax, (max(side * mosaic.shape[1], 2.4), side * mosaic.shape[0] + 0.5))
    ax.imshow(mosaic, interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(f"weights of {plural(count, 'unit')}", fontsize=10)
    return ax


def _unit_images(W: NDArray[np.float64], shape: tuple[int, ...], most: int) -> NDArray[np.float64]:
    """Return one image (h, w, 3) of colours 0…1 for each unit, up to `most` of them."""
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise SettingError(f"shape must be (h, w) or (h, w, 3), got {shape!r}")
    if W.ndim != 2 or len(W) != math.prod(shape):
        raise ShapeError(
            f"shape {shape} means {math.prod(shape)} inputs, but the weights have shape {W.shape}"
        )
    images = W[:, :most].T.reshape(-1, *shape)
    if shape[2:] == (3,):
        low = images.min(axis=(1, 2, 3), keepdims=True)
        span = np.maximum(images.max(axis=(1, 2, 3), keepdims=True) - low, 1e-300)
        return np.asarray((images - low) / span)
    images = images.reshape(-1, *shape[:2])
    share = images / np.maximum(np.abs(images).max(axis=(1, 2), keepdims=True), 1e-300)
    return _diverging_colours(share)


def _diverging_colours(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return colours (…, 3) of numbers −1…1: blue, white, red."""
    red, blue = np.array([0.70, 0.09, 0.17]), np.array([0.13, 0.40, 0.67])
    end = np.where(share[..., None] > 0, red, blue)
    return np.asarray(1 - np.abs(share[..., None]) * (1 - end))
