"""Surfaces seen from above: the regions a model cuts the plane into, and the way down a cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import DataError, SettingError, ShapeError

from ._canvas import BLACK, COLOURS, MAX_MARKED_POINTS, VERMILLION, axes_or_new, import_matplotlib
from ._classes import check_labels, comparable_labels
from ._text import disable_legend_mathtext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Classes of which regions are drawn at most.
MAX_CLASSES = 20
#: Points of the grid of a cost surface along each axis.
SURFACE_STEPS = 81


def decision_boundary(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    ax: Axes | None = None,
    steps: int = 200,
    margin: float = 0.5,
) -> Axes:
    """Draw the regions in which a model predicts each class, and the examples over them.

    A model with `predict_proba` and two classes also gets the line where both are equally likely.

    Parameters
    ----------
    model : Network, estimator or callable
        Its `predict`, or it itself, takes rows (k, 2) and returns k labels.
    X : array (m, 2)
        The examples: two features, the axes of the picture.
    y : array (m,), (m, 1) or one-hot (m, K)
        Their labels, numbers or text.
    ax : Axes, optional
        Where to draw; a new figure without it.
    steps : int
        Points at which the model is asked, along each axis.
    margin : float
        Room around the examples, in standard deviations of each feature.

    Returns
    -------
    Axes
        The axes, with a legend of the classes.

    Raises
    ------
    ShapeError
        X is not (m, 2), y does not fit it, or the model returns another number of labels.
    DataError
        X is not finite, or there are more than 20 classes.
    SettingError
        `steps` is less than 2, `margin` negative, or `model` can predict nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import plot
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> ax = plot.decision_boundary(lambda rows: rows.sum(axis=1) > 0.5, X, [0, 1, 1])
    >>> ax.get_xlabel()
    'x₁'
    """
    X = _points(X, "X", "is the batch transposed? Only two features can be drawn")
    y = check_labels(y, len(X))
    if steps < 2:
        raise SettingError(f"steps must be at least 2, got {steps}")
    across, up = _grid(X, margin * np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), 1.0), steps)
    rows = np.column_stack([across.ravel(), up.ravel()])
    y, regions = comparable_labels(y, _predict(model, rows))
    classes = np.unique(np.concatenate([y, regions]))
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"model and y must give at most {MAX_CLASSES} classes, got {len(classes)} different "
            "values; turn probabilities into labels first, as in p > 0.5"
        )
    ax = axes_or_new(ax, (5.6, 4.8))
    dots = _draw_regions(ax, (across, up), (regions.reshape(across.shape), X, y), classes)
    if hasattr(model, "predict_proba"):
        _draw_even_line(ax, across, up, np.asarray(model.predict_proba(rows)))
    ax.set_xlabel("x₁")
    ax.set_ylabel("x₂")
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    names = [str(name) for name in classes]
    disable_legend_mathtext(ax.legend(dots, names, title="class", frameon=False, **place))
    return ax


def descent(
    path: ArrayLike,
    surface: Callable[[float, float], Any] | None = None,
    *,
    ax: Axes | None = None,
    levels: int = 30,
    margin: float = 0.3,
) -> Axes:
    """Draw the path of gradient descent over the contours of a cost J(w, b).

    Parameters
    ----------
    path : array (k, 2)
        (w, b) before the first step and after each one.
    surface : callable, optional
        J(w, b), called with two floats; without it the path alone is drawn.
    ax : Axes, optional
        Where to draw; a new figure without it.
    levels : int
        Number of contours, denser near the lowest cost.
    margin : float
        Room around the path, as a share of its longer side.

    Returns
    -------
    Axes
        The axes: start a circle, end a star.

    Raises
    ------
    ShapeError
        `path` is not (k, 2).
    DataError
        `path` is not finite, or no value of `surface` is.
    SettingError
        `levels` is less than 2 or `margin` negative.

    Examples
    --------
    Linear regression with one feature, ½(ŷ − y)² in the mean:

    >>> import numpy as np
    >>> from fastnn import plot
    >>> x = np.array([-1.0, 0.0, 1.0, 2.0])
    >>> y = 2 * x + 1
    >>> w, b, path = -1.0, 3.0, [(-1.0, 3.0)]
    >>> for _ in range(40):
    ...     error = w * x + b - y
    ...     w, b = w - 0.3 * np.mean(error * x), b - 0.3 * np.mean(error)
    ...     path.append((w, b))
    >>> ax = plot.descent(path, lambda w, b: np.mean((w * x + b - y) ** 2) / 2)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('w', 'b')
    """
    path = _points(path, "path", "one row (w, b) per step")
    if levels < 2:
        raise SettingError(f"levels must be at least 2, got {levels}")
    # Both axes get the same room, so that a path straight along one of them lies in the middle.
    side = float(np.ptp(path, axis=0).max()) or 1.0
    across, up = _grid(path, np.full(2, margin * side), SURFACE_STEPS)
    heights = None if surface is None else _heights(surface, across, up)
    ax = axes_or_new(ax, (6.4, 4.8))
    if heights is not None:
        _draw_contours(ax, across, up, heights, levels)
    dots = "." if len(path) <= 5 * MAX_MARKED_POINTS else ""
    ax.plot(*path.T, color=VERMILLION, marker=dots, linewidth=1.6, label="path", zorder=3)
    ends: dict[str, Any] = {"zorder": 4, "linestyle": "none", "markeredgecolor": "white"}
    ax.plot(*path[0], marker="o", markersize=9, color=BLACK, label="start", **ends)
    ax.plot(*path[-1], marker="*", markersize=15, color=VERMILLION, label="end", **ends)
    ax.set_xlabel("w")
    ax.set_ylabel("b")
    ax.legend(loc="best", framealpha=0.9)
    return ax


def _points(points: ArrayLike, name: str, mend: str) -> NDArray[np.float64]:
    """Check points of the plane, (m, 2)."""
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be an array of numbers of shape (m, 2)") from error
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ShapeError(f"{name} must have shape (m, 2), got {array.shape}; {mend}")
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise DataError(f"{name} must be finite, got {array[bad]} in row {bad}")
    return array


def _grid(
    points: NDArray[np.float64], room: NDArray[np.float64], steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lay a grid of steps × steps points over the points and some room around them."""
    if not (room >= 0).all():
        raise SettingError("margin must not be negative")
    room = np.where((np.ptp(points, axis=0) == 0) & (room == 0), 1.0, room)
    low, high = points.min(axis=0) - room, points.max(axis=0) + room
    across, up = np.meshgrid(*(np.linspace(low[i], high[i], steps) for i in (0, 1)))
    return across, up


def _predict(model: Any, rows: NDArray[np.float64]) -> NDArray[Any]:
    """Ask the model for one label per row."""
    predict = getattr(model, "predict", model)
    if not callable(predict):
        raise SettingError(
            f"model must have a predict method or be callable, got {type(model).__name__}"
        )
    labels = np.asarray(predict(rows))
    if labels.size != len(rows):
        raise ShapeError(
            f"model must return one label for each of the {len(rows)} rows, "
            f"got shape {labels.shape}"
        )
    return labels.reshape(len(rows))


def _draw_regions(
    ax: Axes,
    grid: tuple[NDArray[np.float64], NDArray[np.float64]],
    data: tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]],
    classes: NDArray[Any],
) -> list[Any]:
    """Fill where each class is predicted, draw its examples in the same colour, return them."""
    (regions, X, y), dots = data, []
    many = import_matplotlib("pyplot").get_cmap("tab20") if len(classes) > len(COLOURS) else None
    for index, name in enumerate(classes):
        colour: Any = many(index) if many else COLOURS[index]
        inside = (regions == name).astype(np.float64)
        if inside.any():
            # One mask per class: contours of the class numbers would invent the classes between.
            ax.contourf(*grid, inside, levels=(0.5, 1.5), colors=[colour], alpha=0.25)
        mine = X[y == name]
        style: dict[str, Any] = {
            "color": colour,
            "edgecolors": "white",
            "linewidths": 0.5,
            "zorder": 3,
        }
        dots.append(ax.scatter(mine[:, 0], mine[:, 1], s=22, label=str(name), **style))
    return dots


def _draw_even_line(
    ax: Axes, across: NDArray[np.float64], up: NDArray[np.float64], shares: NDArray[Any]
) -> None:
    """Draw the line on which two classes are equally likely, where it crosses the picture."""
    if shares.shape != (across.size, 2):
        return
    second = shares[:, 1].reshape(across.shape)
    if second.min() < 0.5 < second.max():
        ax.contour(across, up, second, levels=[0.5], colors=BLACK, linewidths=1.2)


def _heights(
    surface: Callable[[float, float], Any], across: NDArray[np.float64], up: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Evaluate J point by point: a J that averages over examples is right only for scalars."""
    pairs = zip(across.ravel().tolist(), up.ravel().tolist(), strict=True)
    costs = [np.asarray(surface(w, b), dtype=np.float64) for w, b in pairs]
    if costs[0].size != 1:
        raise ShapeError(f"surface must return one cost for each (w, b), got {costs[0].shape}")
    heights = np.array([cost.item() for cost in costs])
    if not np.isfinite(heights).any():
        raise DataError("surface must return finite costs, got none around the path")
    return np.ma.masked_invalid(heights.reshape(across.shape))


def _draw_contours(
    ax: Axes,
    across: NDArray[np.float64],
    up: NDArray[np.float64],
    heights: NDArray[np.float64],
    levels: int,
) -> None:
    """Fill the contours of a cost and give their scale."""
    low, high = float(heights.min()), float(heights.max())
    # Squares of even steps: a bowl's contours are then evenly spaced, also near its bottom.
    edges = np.unique(low + (high - low) * np.linspace(0.0, 1.0, levels + 1) ** 2)
    if len(edges) < 2:
        edges = np.array([low - 0.5, low + 0.5])
    filled = ax.contourf(across, up, heights, levels=edges, cmap="cividis", alpha=0.85)
    ax.contour(across, up, heights, levels=edges, colors="white", linewidths=0.3)
    ticks = import_matplotlib("ticker").MaxNLocator(nbins=6)
    ax.figure.colorbar(filled, ax=ax, label="cost J(w, b)", ticks=ticks)
