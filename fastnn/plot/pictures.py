"""Pictures of single examples: one image with its label and what was predicted for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import DataError, ShapeError

from ._canvas import BLACK, axes_or_new
from ._text import disable_mathtext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The colour of a wrong prediction.
WRONG = "#B2182B"


def image(
    image: ArrayLike,
    *,
    label: Any = None,
    prediction: Any = None,
    classes: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw one image; its title gives label and prediction, red where they differ.

    Parameters
    ----------
    image : array
        (h, w), grey, drawn from black at 0 (or at a negative least value) to white at the
        largest value; or (h, w, 3), colours as whole numbers 0…255 or floats 0…1 or 0…255.
    label, prediction : number or str, optional
        The true and the predicted class.
    classes : sequence, optional
        Names of the classes: `label` and `prediction` are then positions in it.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes, without ticks.

    Raises
    ------
    ShapeError
        The image is neither (h, w) nor (h, w, 3).
    DataError
        Pixels are not numbers, not finite or out of range, or a label is outside `classes`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import plot
    >>> ax = plot.image(np.eye(8), label=1, prediction=0, classes=["cat", "dog"])
    >>> ax.get_title()
    'label: dog\nprediction: cat'
    """
    pixels = _pixels(np.asarray(image))
    named = [("label", label), ("prediction", prediction)]
    parts = [(key, _name(value, key, classes)) for key, value in named if value is not None]
    ax = axes_or_new(ax, (3.2, 3.6))
    low = min(0.0, float(pixels.min()))
    ax.imshow(pixels, cmap="gray", vmin=low, vmax=max(float(pixels.max()), low + 1e-12))
    ax.set_xticks([])
    ax.set_yticks([])
    if parts:
        wrong = len({name for _, name in parts}) > 1
        title = "\n".join(f"{key}: {name}" for key, name in parts)
        disable_mathtext(ax.set_title(title, fontsize=10, color=WRONG if wrong else BLACK))
    return ax


def _pixels(pixels: NDArray[Any]) -> NDArray[Any]:
    """Check an image and bring colours to a range that can be drawn without clipping."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if not pixels.size or pixels.ndim not in {2, 3} or pixels.shape[2:] not in {(), (3,)}:
        raise ShapeError(
            f"image must have shape (h, w) or (h, w, 3), got {pixels.shape}; "
            "give a flat row its shape back first, as in X[i].reshape(64, 64, 3)"
        )
    if pixels.dtype.kind not in "buif":
        raise DataError(f"image must hold numbers, got dtype {pixels.dtype}")
    if not np.isfinite(pixels).all():
        raise DataError("image must hold finite numbers, got NaN or infinity")
    if pixels.ndim == 2:
        return pixels.astype(np.float64)
    return _colours(pixels)


def _colours(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Bring colours (h, w, 3) to floats 0…1."""
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 255:
        raise DataError(
            f"colours of image must lie in 0…1 or 0…255, got {low:g}…{high:g}; "
            "undo the standardisation before drawing"
        )
    whole = pixels.dtype.kind in "ui"
    return pixels.astype(np.float64) / (255.0 if whole or high > 1.0 else 1.0)


def _name(value: Any, key: str, classes: Sequence[Any] | None) -> str:
    """Write a label as its class is named."""
    array = np.asarray(value)
    if array.size != 1:
        raise ShapeError(f"{key} must be one value, got shape {array.shape}")
    value = array.item()
    if classes is None:
        return f"{value:g}" if isinstance(value, float) else _text(value)
    position = int(value) if isinstance(value, int | float) and value == int(value) else -1
    if not 0 <= position < len(classes):
        raise DataError(f"{key} must be a position in classes, 0…{len(classes) - 1}, got {value!r}")
    return _text(classes[position])


def _text(value: Any) -> str:
    """Write a class name; data files hold them as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
