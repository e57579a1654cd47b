"""Pictures of classifiers: ROC, precision–recall and calibration curves, each class by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError
from fastnn.metrics import thresholds
from fastnn.metrics._inputs import example_weights

from ._canvas import GREY, axes_or_new, legend_below, line_style, marker_for, style_axes
from ._classifiers import OneVsRest, one_vs_rest
from ._text import disable_mathtext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Classes up to which the legend names every one.
MAX_NAMED_CLASSES = 20


def roc_curve(
    y_true: Any,
    y_prob: Any,
    y: Any = None,
    *,
    classes: Sequence[Any] | None = None,
    sample_weight: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of positives that are found over the share of false alarms.

    Each point is a threshold on the score; the diagonal is chance. With more than two classes, and
    for labels that do not exclude each other, there is a curve for each class against the rest.

    Parameters
    ----------
    y_true, y_prob : array (m,), and array (m,), (m, 1) or (m, K)
        Labels, one-hot rows or several labels at a time, (m, K) of 0 and 1; and probabilities or
        any scores that grow with them: of the second of two classes, or of each. Or three things:
        a network or another classifier with `predict_proba`, rows X (m, n), and their labels y.
    y : array (m,), (m, 1) or (m, K), optional
        Labels, where a classifier was given.
    classes : sequence (K,), optional
        Names of the classes, in the order of the columns.
    sample_weight : array (m,), optional
        Weights of the examples.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The axes; the legend says the area under each curve (AUC), the title their mean.

    Raises
    ------
    ShapeError, DataError
        As `metrics.roc_auc`; if a class has no example (of weight above 0), or all.
    SettingError
        If there is another number of names than of classes, or a classifier without X and y.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ax.lines[-1].get_label()
    'AUC 0.750'
    """
    w, parts = _weighted((y_true, y_prob, y), classes, sample_weight)
    ax = _square_axes(ax, "false positive rate", "true positive rate")
    chance = ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="chance")
    curves = [thresholds.roc(part.positive, part.score, w) for part in parts]
    _draw(ax, parts, curves, "AUC", chance, lambda x: {"marker": marker_for(x)})
    return ax


def precision_recall_curve(
    y_true: Any,
    y_prob: Any,
    y: Any = None,
    *,
    classes: Sequence[Any] | None = None,
    sample_weight: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of alarms that are right over the share of positives that are found.

    Each step is a threshold on the score. Where one class is rare this says more than
    `roc_curve`: the dashed line is what chance gives, the share of positives.

    Parameters
    ----------
    y_true, y_prob, y, classes, sample_weight, ax
        As in `roc_curve`.

    Returns
    -------
    Axes
        The axes; the legend says the average precision (AP), the area below the steps.

    Raises
    ------
    ShapeError, DataError, SettingError
        As `roc_curve`.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ax.lines[-1].get_label()
    'AP 0.833'
    """
    w, parts = _weighted((y_true, y_prob, y), classes, sample_weight)
    ax = _square_axes(ax, "recall", "precision")
    curves = [thresholds.precision_recall(part.positive, part.score, w) for part in parts]
    # From recall 0 on: the first step holds back to there.
    curves = [c._replace(x=np.append(0, c.x), y=np.append(c.y[0], c.y)) for c in curves]
    chance = []
    if len(parts) == 1:
        share = float(np.average(parts[0].positive, weights=w))
        style: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}
        chance = ax.plot([0, 1], [share, share], label=f"chance {share:.3f}", **style)
    _draw(ax, parts, curves, "AP", chance, lambda x: {"drawstyle": "steps-pre"})
    return ax


def calibration_curve(
    y_true: Any,
    y_prob: Any,
    y: Any = None,
    *,
    bins: int = 10,
    classes: Sequence[Any] | None = None,
    sample_weight: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often the class occurred over the probability that it was given.

    Examples are gathered into bins by that probability, equally wide; those without examples are
    left out. On the diagonal probabilities are what they say; below it they are too high.

    Parameters
    ----------
    y_true, y_prob, y, classes, sample_weight, ax
        As in `roc_curve`; `y_prob` must lie in [0, 1].
    bins : int
        At least one.

    Returns
    -------
    Axes
        The axes; the legend says Brier's score, the mean of (p − y)², lower is better.

    Raises
    ------
    ShapeError, DataError, SettingError
        As `metrics.log_loss` for the probabilities, else as `roc_curve`.

    Examples
    --------
    >>> from fastnn import plot
    >>> ax = plot.calibration_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], bins=2)
    >>> ax.lines[-1].get_label()
    'Brier 0.158'
    """
    bins = arguments.count(bins, "bins", least=1)
    w, parts = _weighted((y_true, y_prob, y), classes, sample_weight, probabilities=True)
    ax = _square_axes(ax, "mean predicted probability", "share of positives")
    label = "perfectly calibrated"
    ideal = ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label=label)
    curves = [thresholds.calibration(part.positive, part.score, w, bins) for part in parts]
    _draw(ax, parts, curves, "Brier", ideal, lambda x: {"marker": "o"})
    return ax


def _weighted(
    given: tuple[Any, Any, Any], classes: Any, sample_weight: Any, probabilities: bool = False
) -> tuple[Any, list[OneVsRest]]:
    """Return weights (m,) and the classes to draw; of each, some examples but for calibration."""
    parts = one_vs_rest(given, classes, probabilities=probabilities)
    w = example_weights(sample_weight, len(parts[0].positive))
    for part in parts:
        held = part.positive[w > 0]
        if not probabilities and (held.all() or not held.any()):
            name = f"class {part.name}" if part.name else "the positive class"
            raise DataError(
                f"{name} has {'only' if held.any() else 'no'} examples in y; a curve over "
                "thresholds needs some that are of it and some that are not"
            )
    return w, parts


def _square_axes(ax: Axes | None, across: str, up: str) -> Axes:
    """Return axes of two shares, both from 0 to 1."""
    ax = axes_or_new(ax, (5.2, 5.2))
    style_axes(ax)
    ax.spines["right"].set_visible(False)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    return ax


def _draw(
    ax: Axes,
    parts: list[OneVsRest],
    curves: list[thresholds.Curve],
    measure: str,
    reference: list[Any],
    style: Callable[[Any], dict[str, Any]],
) -> None:
    """Draw one curve a class, in front of the line to compare them with, and name them."""
    lines: list[Any] = []
    for index, (part, (x, y, score)) in enumerate(zip(parts, curves, strict=True)):
        label = f"{part.name}: {measure} {score:.3f}" if part.name else f"{measure} {score:.3f}"
        looks = {"markersize": 4, **line_style(index), **style(x)}
        lines += ax.plot(x, y, label=label, **looks)
    if len(parts) > 1:
        mean = np.mean([curve.score for curve in curves])
        disable_mathtext(ax.set_title(f"mean {measure} {mean:.3f}", fontsize=10))
    named = lines if len(lines) <= MAX_NAMED_CLASSES else []
    legend_below(ax, [*named, *reference], columns=min(len(named) + 1, 3 if len(named) > 3 else 2))
