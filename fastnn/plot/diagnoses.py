"""Pictures of diagnostics: learning curves, the range test, the signal from layer to layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.text import plural
from fastnn.errors import DataError

from ._canvas import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    axes_or_new,
    import_matplotlib,
    legend_below,
    line_style,
    style_axes,
    whole_ticks,
)
from ._text import disable_mathtext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.diagnostics import LayerSignal, LearningCurve, RangeTest, Signal

#: The ratio of largest to smallest value beyond which an axis is logarithmic.
LOG_RATIO = 100
#: Layers up to which each is named under the axis.
MAX_NAMED_LAYERS = 12


def _check_result(result: Any, *names: str, maker: str) -> None:
    """Refuse something that is not the result of that function."""
    if not all(hasattr(result, name) for name in names):
        raise DataError(
            f"the picture needs what fastnn.diagnostics.{maker} returns, got "
            f"{type(result).__name__}"
        )


def learning_curve(result: LearningCurve, *, ax: Axes | None = None) -> Axes:
    """Draw the scores of training and dev examples over the number of training examples.

    Parameters
    ----------
    result : LearningCurve
        From `diagnostics.learning_curve`; lines are means over its seeds, bands reach from the
        lowest to the highest.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    DataError
        If `result` is something else.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import plot
    >>> from fastnn.diagnostics import LearningCurve
    >>> scores = np.array([[0.9, 0.95]]), np.array([[0.5, 0.8]])
    >>> ax = plot.learning_curve(LearningCurve(np.array([10, 100]), *scores, "accuracy"))
    >>> ax.get_xlabel()
    'training examples'
    """
    _check_result(result, "sizes", "train", "dev", maker="learning_curve")
    ax = axes_or_new(ax)
    style_axes(ax)
    ax.spines["right"].set_visible(False)
    lines = []
    for scores, name, colour in ((result.train, "train", BLUE), (result.dev, "dev", VERMILLION)):
        style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 4, "label": name}
        lines += ax.plot(result.sizes, scores.mean(axis=0), **style)
        if len(scores) > 1:
            low, high = scores.min(axis=0), scores.max(axis=0)
            ax.fill_between(result.sizes, low, high, color=colour, alpha=0.18, linewidth=0)
    if result.metric == "accuracy":
        ax.yaxis.set_major_formatter(import_matplotlib("ticker").PercentFormatter(1.0))
    ax.set_xlabel("training examples")
    ax.set_ylabel(result.metric)
    legend_below(ax, lines, columns=2)
    return ax


def range_test(result: RangeTest, *, ax: Axes | None = None) -> Axes:
    """Draw the cost while the learning rate grows, and the final costs of the trial fits.

    The line of the growing rate is the median over seeds, the band reaches from the lowest to the
    highest. The title names optimiser and batch size.

    Parameters
    ----------
    result : RangeTest
        From `diagnostics.range_test`. Costs far above where they began are cut off.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes; the dashed line is the suggested rate.

    Raises
    ------
    DataError
        If `result` is something else, or no cost in it is finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import plot
    >>> from fastnn.diagnostics import RangeTest
    >>> result = RangeTest(np.array([0.01, 0.1, 1.0]), np.array([[0.7, 0.5, np.inf]]))
    >>> plot.range_test(result).get_xlabel()
    'learning rate'
    """
    _check_result(result, "rates", "costs", "median", maker="range_test")
    finite = np.isfinite(result.costs)
    if not finite.any():
        raise DataError("no cost of the range test is finite; begin with smaller rates")
    ax = axes_or_new(ax)
    style_axes(ax)
    ax.spines["right"].set_visible(False)
    ax.set_xscale("log")
    lines = [*_growing_rate(ax, result), *_trial_fits(ax, result)]
    begin = float(result.costs[finite][0])
    lowest = [
        result.costs[finite].min(),
        *(() if result.final_costs is None else result.final_costs),
    ]
    bottom, top = float(min(lowest)), 1.5 * begin
    if 0 < bottom * LOG_RATIO < begin:
        ax.set_yscale("log")
        ax.set_ylim(bottom / 1.3, top)
    else:
        ax.set_ylim(bottom - 0.08 * (top - bottom), top)
    if result.has_suggestion:
        text = f"suggestion {result.suggestion:.2g}"
        lines.append(ax.axvline(result.suggestion, color=VERMILLION, linestyle="--", label=text))
    ax.set_xlabel("learning rate")
    ax.set_ylabel("cost")
    disable_mathtext(ax.set_title(result.setting, fontsize=10))
    legend_below(ax, lines, columns=2)
    return ax


def _growing_rate(ax: Axes, result: RangeTest) -> list[Any]:
    """Draw the costs while the rate grows: their median, and a band where there are several."""
    costs = np.where(np.isfinite(result.costs), result.costs, np.nan)
    # Infinity is drawn as far outside: what leaves the picture is seen to leave it.
    far = 10 * max(1.5 * float(costs[~np.isnan(costs)][0]), float(np.nanmax(costs)))
    curve, low, high = (np.minimum(values, far) for values in (result.median, *result.band))
    several = len(result.costs) > 1
    name = f"median of {len(costs)} seeds" if several else "one seed"
    lines: list[Any] = [*ax.plot(result.rates, curve, color=BLUE, label=name)]
    if several:
        style: dict[str, Any] = {"color": BLUE, "alpha": 0.2, "linewidth": 0}
        lines.append(ax.fill_between(result.rates, low, high, label="lowest to highest", **style))
    return lines


def _trial_fits(ax: Axes, result: RangeTest) -> list[Any]:
    """Draw the final costs of the trial fits, if there were any."""
    if result.trial_rates is None or result.final_costs is None:
        return []
    style: dict[str, Any] = {"color": GREEN, "marker": "o", "markersize": 4}
    name = f"final cost after {plural(result.epochs, 'epoch')}"
    lines: list[Any] = ax.plot(result.trial_rates, result.final_costs, label=name, **style)
    return lines


def signal(result: Signal | Mapping[str, Signal], *, ax: Axes | None = None) -> Axes:
    """Draw how the activations, and the gradients if there are any, fare from layer to layer.

    One signal: mean ± spread of each layer's A, or its spread alone on a logarithmic axis where
    that changes by more than two decades; ‖dW‖ at the right. Several: the spreads side by side.

    Parameters
    ----------
    result : Signal or mapping of str to Signal
        From `diagnostics.signal`, `diagnose` or `depth_experiment`.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes of the activations.

    Raises
    ------
    DataError
        If `result` is something else, or empty.

    Examples
    --------
    >>> from fastnn import plot
    >>> from fastnn.diagnostics import depth_experiment
    >>> ax = plot.signal(depth_experiment(5, width=10))
    >>> [line.get_label() for line in ax.lines]
    ['small', 'large', 'he']
    """
    several = isinstance(result, Mapping)
    signals = result if isinstance(result, Mapping) else {"": result}
    if not signals:
        raise DataError("the mapping of signals is empty; there is nothing to draw")
    for one in signals.values():
        _check_result(one, "layers", "verdict", maker="signal")
    ax = axes_or_new(ax, (7.2, 4.4))
    style_axes(ax)
    lines = []
    if several:
        ax.set_yscale("log")
        for index, (name, one) in enumerate(signals.items()):
            rows = [row for row in one.layers if row.hidden] or list(one.layers)
            spreads = _positive([row.spread for row in rows])
            number = np.arange(1, len(rows) + 1)
            lines += ax.plot(number, spreads, label=name, **line_style(index))
        ax.spines["right"].set_visible(False)
        whole_ticks(ax)
        ax.set_xlabel("hidden layer")
        ax.set_ylabel("spread of A")
    else:
        lines += _one_signal(ax, signals[""].layers)
    legend_below(ax, lines, columns=3)
    return ax


def _positive(values: list[float]) -> NDArray[np.float64]:
    """Return values that a logarithmic axis can show, gaps for others."""
    array = np.array(values, np.float64)
    return np.where((array > 0) & np.isfinite(array), array, np.nan)


def _one_signal(ax: Axes, layers: tuple[LayerSignal, ...]) -> list[Any]:
    """Draw the A of one network's layers, and its ‖dW‖ on an axis at the right."""
    place = np.arange(1, len(layers) + 1)
    lines: list[Any] = []
    mean, spread = (np.array([getattr(row, key) for row in layers]) for key in ("mean", "spread"))
    shown = _positive([row.spread for row in layers])
    if np.isfinite(shown).any() and np.nanmax(shown) > LOG_RATIO * np.nanmin(shown):
        ax.set_yscale("log")
        lines += ax.plot(place, shown, color=BLUE, marker="o", markersize=4, label="spread of A")
    else:
        style: dict[str, Any] = {
            "color": BLUE,
            "fmt": "o",
            "capsize": 3,
            "label": "mean ± spread of A",
        }
        lines.append(ax.errorbar(place, mean, yerr=spread, **style))
    ax.set_ylabel("A", color=BLUE)
    ax.set_xlim(0.5, len(layers) + 0.5)
    norms = _positive([np.nan if row.gradient is None else row.gradient for row in layers])
    if np.isfinite(norms).any():
        right, seen = ax.twinx(), np.isfinite(norms)
        right.set_yscale("log")
        # At least three decades, for a factor of two between layers is no finding; most of them
        # below, for in the middle of the picture lie the means of A.
        right.set_ylim(np.nanmin(norms) / 300, np.nanmax(norms) * 4)
        right.yaxis.set_major_locator(import_matplotlib("ticker").LogLocator(numticks=8))
        right.yaxis.set_minor_locator(import_matplotlib("ticker").NullLocator())
        style = {"color": VERMILLION, "marker": "s", "markersize": 4, "linestyle": "--"}
        lines += right.plot(place[seen], norms[seen], label="‖dW‖", **style)
        right.set_ylabel("‖dW‖", color=VERMILLION)
        right.spines["top"].set_visible(False)
    else:
        ax.spines["right"].set_visible(False)
    if len(layers) <= MAX_NAMED_LAYERS:
        long = len(layers) > 6
        names = [row.name for row in layers]
        ha = "right" if long else "center"
        ax.set_xticks(place, names, rotation=45 if long else 0, ha=ha, parse_math=False)
    else:
        ax.set_xlabel("layer", color=GREY)
    return lines
