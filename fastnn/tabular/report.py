"""Report: what a tabular estimator did with columns and networks, as lines of text."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._display.table import Table
from fastnn._runtime.text import Text, plural

__all__ = ["report"]

BARS = "▁▂▃▄▅▆▇█"
#: Characters of a curve.
WIDTH = 20
KINDS = {
    "coded": "with codes",
    "linear": "without codes",
    "plain": "like MLPClassifier's",
}


def report(model: Any) -> Text:
    """Return the report of a fitted estimator."""
    return Text("\n\n".join([_columns(model), _networks(model), _bag(model)]))


def _columns(model: Any) -> str:
    """Return what became of the columns."""
    encoder, codes = model.encoder_, model._codes
    first = f"{plural(model.n_features_in_, 'column')}, {plural(model._features, 'feature')}"
    if codes.width:
        first += (
            f"; networks with codes are given {plural(codes.width, 'number')} more, "
            f"piecewise-linear codes of {plural(len(codes.features), 'feature')}"
        )
    lines = [first, *encoder.report().splitlines()]
    if model._statistics:
        told = [
            f"{each.name} ({len(each.values):,} values: {plural(each.width, 'feature')})"
            for each in model._statistics
        ]
        lines.append(f"{'averages':<10}of the target for each value of {', '.join(told)}")
    return "\n".join(lines)


def _networks(model: Any) -> str:
    """Return a line for each network: rows, best epoch, its cost, and the curve."""
    rows = []
    for each in model._members:
        best = f"{model._shown_cost(min(each.curve)):.4g}" if each.scored else ""
        kept = f"{each.best_epoch} of {each.epochs}"
        scored = f"{each.scored:,}" if each.scored else ""
        curve = curve_text(each.curve)
        rows.append([KINDS[each.kind], f"{each.trained:,}", scored, kept, best, curve])
    name = f"its {model._cost_name}"
    header = ("network", "trained on", "scored on", "epoch kept", name, "cost over time")
    return Table(header, rows, align="lrrrrl").text()


def curve_text(curve: Any) -> str:
    """Return a curve as a row of bars, from its least to its greatest value."""
    values = np.asarray(curve, np.float64)
    if not len(values) or not np.isfinite(values).all():
        return ""
    parts = np.array_split(values, min(WIDTH, len(values)))
    means = np.array([part.mean() for part in parts])
    heights = (means - means.min()) / (np.ptp(means) or 1.0)
    return "".join(BARS[int(height * (len(BARS) - 1) + 0.5)] for height in heights)


def _bag(model: Any) -> str:
    """Return how good a network is by itself, and what the mean of all brings."""
    found = model.held_out_
    if "spread" not in found:
        return "no rows were held out: there were too few of each class"
    held = f"held-out rows, by networks that were not trained on them ({found['rows']:,})"
    if np.ndim(found["spread"]):
        return f"{held}, and the mean of all networks by how far they lie apart:\n{_each(model)}"
    classes = hasattr(model, "classes_")
    name = "log loss" if classes else "RMSE"
    one, gone = found["log_loss" if classes else "rmse"], _of_mean(found)
    always = "the shares of the classes" if classes else "the mean"
    accuracy = f", accuracy {found['accuracy']:.1%}" if classes else ""
    lines = [
        f"{held}: {name} {one:.4g}{accuracy}; always answering {always}: {found['constant']:.4g}"
    ]
    if len(model._members) > 1:
        lines.append(
            f"the mean of {plural(len(model._members), 'network')}: {name} about "
            f"{gone:.4g} by how far they lie apart (Krogh and Vedelsby, NIPS 1994)"
        )
    if classes:
        low, high = min(model.temperatures_), max(model.temperatures_)
        lines.append(f"temperatures {low:.3g} to {high:.3g}")
    return "\n".join(lines)


def _of_mean(found: Any) -> Any:
    """Return about how good the mean of all networks is, of what `held_out_` is of one of them."""
    if "log_loss" in found:
        return max(found["log_loss"] - found["spread"], 0.0)
    one = np.asarray(found["rmse"])
    # Squares of errors of a large y would leave float64, shares of them do not.
    share = np.minimum(found["spread"] / np.where(one > 0, one, 1.0), 1)
    return one * np.sqrt(1 - share**2)


def _each(model: Any) -> str:
    """Return a line for each of several targets."""
    found = model.held_out_
    columns = (found["rmse"], _of_mean(found), found["constant"])
    rows = [
        [name, *(f"{value:.4g}" for value in values)]
        for name, *values in zip(model._targets, *columns, strict=True)
    ]
    header = ("target", "RMSE", "of the mean of all", "always answering the mean")
    return Table(header, rows, align="lrrr").text()
