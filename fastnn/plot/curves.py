"""Curves over training: the cost of a run with its accuracy, and learning rates compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import DataError, SettingError, ShapeError

from ._canvas import (
    BLUE,
    VERMILLION,
    axes_or_new,
    import_matplotlib,
    legend_below,
    line_style,
    marker_for,
    scale_cost,
    style_axes,
    whole_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Record(Protocol):
    """Named series of numbers, one per epoch: a `History`, or a dict of arrays."""

    def __getitem__(self, key: str, /) -> Any:
        """Return the series of that name."""
        ...

    def __contains__(self, key: object, /) -> bool:
        """Return whether there is a series of that name."""
        ...


def history(history: Record, *, ax: Axes | None = None) -> Axes:
    """Draw cost over epochs, and accuracy on a second axis at the right where it was recorded.

    Solid lines are the training data, dashed lines the validation data. The cost axis is
    logarithmic where the cost spans more than two decades. An epoch whose validation was not
    measured (NaN) is bridged by a straight line.

    Parameters
    ----------
    history : History or mapping
        `"cost"` of shape (epochs,), and if present `"validation_cost"`, `"accuracy"` and
        `"validation_accuracy"` (shares between 0 and 1).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes of the cost.

    Raises
    ------
    DataError
        There is no cost, or none that is finite.
    ShapeError
        A series is not one-dimensional, or has another length than the cost.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.history({"cost": [0.69, 0.4, 0.3], "validation_cost": [0.6, 0.45, 0.41]})
    >>> ax.get_xlabel()
    'epoch'
    """
    cost = _series(history, "cost", "history")
    _need_finite(cost, 'history["cost"]')
    names = "validation_cost", "accuracy", "validation_accuracy"
    checked, accuracy, accuracy_checked = (_optional(history, name, len(cost)) for name in names)
    ax = axes_or_new(ax)
    style_axes(ax)
    lines = _pair(ax, cost, checked, "cost", BLUE)
    scale_cost(ax, [cost, checked])
    ax.set_xlabel("epoch")
    ax.set_ylabel("cost", color=BLUE)
    whole_ticks(ax)
    if len(cost) == 1:
        ax.set_xticks([1])
    if accuracy.size or accuracy_checked.size:
        lines += _accuracies(ax.twinx(), accuracy, accuracy_checked)
    else:
        ax.spines["right"].set_visible(False)
    if len(lines) > 1:
        legend_below(ax, lines, columns=2)
    return ax


def learning_rates(costs: Mapping[float, Any], *, ax: Axes | None = None, every: int = 1) -> Axes:
    """Draw the cost of the same network trained with several learning rates.

    Parameters
    ----------
    costs : mapping
        Learning rate → costs of shape (k,), or the `History` of that run. Lengths may differ.
    ax : Axes, optional
        Where to draw; a new figure without it.
    every : int
        Iterations from one recorded cost to the next.

    Returns
    -------
    Axes
        The axes, one line per rate from the smallest to the largest.

    Raises
    ------
    DataError
        There are no costs, a rate is no number, or no cost is finite.
    SettingError
        `every` is less than 1.
    ShapeError
        Costs are not one-dimensional.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.learning_rates({0.01: [0.7, 0.5], 0.001: [0.7, 0.66]}, every=100)
    >>> [line.get_label() for line in ax.lines]
    ['0.001', '0.01']
    """
    if every < 1:
        raise SettingError(f"every must be at least 1 iteration, got {every}")
    curves = _curves_by_rate(costs)
    ax = axes_or_new(ax, (7.2, 4.2))
    style_axes(ax)
    ax.spines["right"].set_visible(False)
    # The course counts iterations from 0; epochs are counted from 1, as in `history`.
    plain = all(_is_plain(c) for c in costs.values())
    for index, (rate, values) in enumerate(curves):
        steps = np.arange(0 if plain else 1, len(values) + (not plain)) * every
        style = line_style(index)
        ax.plot(steps, values, label=f"{rate:g}", marker=marker_for(values), markersize=4, **style)
    scale_cost(ax, [values for _, values in curves])
    whole_ticks(ax)
    ax.set_xlabel("iteration" if plain else "epoch")
    ax.set_ylabel("cost")
    ax.legend(title="learning rate", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return ax


def _series(record: Record, key: str, argument: str) -> NDArray[np.float64]:
    """Read one series as floats (k,), infinities as NaN: a gap instead of a broken axis."""
    if key not in record:
        raise DataError(f'{argument} has no "{key}"; is it a History, or a dict of arrays?')
    return _numbers(record[key], f'{argument}["{key}"]')


def _numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Return costs as floats (k,), checked."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers, got {type(values).__name__}") from error
    if array.ndim != 1:
        raise ShapeError(f"{name} must have shape (k,), one number per epoch, got {array.shape}")
    array[np.isinf(array)] = np.nan
    return array


def _optional(record: Record, key: str, epochs: int) -> NDArray[np.float64]:
    """Read a series that may be absent: empty if so, or if nothing in it was measured."""
    if key not in record:
        return np.empty(0)
    values = _series(record, key, "history")
    if values.size not in (0, epochs):
        raise ShapeError(
            f'history["{key}"] has {values.size} entries but "cost" {epochs}, so their epochs are '
            "unknown; give one an epoch, NaN where nothing was measured"
        )
    return values if np.isfinite(values).any() else np.empty(0)


def _need_finite(values: NDArray[np.float64], name: str) -> None:
    """Refuse a series in which there is nothing to draw."""
    if not values.size:
        raise DataError(f"{name} is empty; train for at least one epoch first")
    if not np.isfinite(values).any():
        raise DataError(f"{name} holds no finite number; a smaller learning rate may help")


def _pair(
    ax: Axes, train: NDArray[np.float64], checked: NDArray[np.float64], name: str, colour: str
) -> list[Any]:
    """Draw a training series, solid, and its validation series, dashed."""
    lines: list[Any] = []
    if train.size:
        style: dict[str, Any] = {"color": colour, "label": name, "marker": marker_for(train)}
        lines += ax.plot(np.arange(1, len(train) + 1), train, markersize=4, **style)
    seen = np.flatnonzero(np.isfinite(checked))
    if seen.size:
        style = {"color": colour, "label": f"validation {name}", "marker": marker_for(checked)}
        style |= {"linestyle": "--", "markerfacecolor": "white"}
        lines += ax.plot(seen + 1, checked[seen], markersize=4, linewidth=1.3, **style)
    return lines


def _accuracies(right: Axes, train: NDArray[np.float64], checked: NDArray[np.float64]) -> list[Any]:
    """Draw the accuracies on the right axis, in per cent and never beyond 100."""
    lines = _pair(right, train, checked, "accuracy", VERMILLION)
    values = np.concatenate([train, checked])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.05 * (high - low), 0.01)
    # More room below than above: a constant accuracy must not lie on a constant cost.
    right.set_ylim(max(low - 2 * room, -0.1 * room), min(high + room, 1.0 + 0.1 * room))
    right.yaxis.set_major_formatter(import_matplotlib("ticker").PercentFormatter(1.0))
    right.set_ylabel("accuracy", color=VERMILLION)
    right.spines["top"].set_visible(False)
    return lines


def _is_plain(costs: Any) -> bool:
    """Return whether costs are an array or a list, not a History."""
    return isinstance(costs, np.ndarray | Sequence)


def _curves_by_rate(costs: Mapping[float, Any]) -> list[tuple[float, NDArray[np.float64]]]:
    """Read every rate and its costs, from the smallest rate to the largest."""
    if not isinstance(costs, Mapping) or not costs:
        raise DataError(
            "costs must map at least one learning rate to its costs, as in "
            f"{{0.01: [0.69, 0.5]}}, got {type(costs).__name__}"
        )
    curves = []
    for rate, values in costs.items():
        name = f"costs[{rate!r}]"
        try:
            number = float(rate)
        except (TypeError, ValueError) as error:
            raise DataError(f"{name}: the key must be a learning rate, a number") from error
        plain = _is_plain(values)
        array = _numbers(values, name) if plain else _series(values, "cost", name)
        _need_finite(array, name)
        curves.append((number, array))
    return sorted(curves, key=lambda pair: pair[0])
