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
    first = (
        f"{plural(model.n_features_in_, 'column')}, {plural(len(encoder.feature_names), 'feature')}"
    )
    if codes.width:
        first += (
            f"; networks with codes are given {plural(codes.width, 'number')} more, "
            f"piecewise-linear codes of {plural(len(codes.features), 'feature')}"
        )
    return f"{first}\n{encoder.report()}"


def _networks(model: Any) -> str:
    """Return a line for each network: rows, best epoch, its cost, and the curve."""
    rows = []
    for each in model._members:
        best = f"{model._shown_cost(min(each.curve)):.4g}" if each.scored else ""
        kept = f"{each.best_epoch} of {len(each.curve)}"
        scored = f"{each.scored:,}" if each.scored else ""
        curve = curve_text(each.curve)
        rows.append([KINDS[each.kind], f"{each.trained:,}", scored, kept, best, curve])
    name = "log loss" if hasattr(model, "classes_") else "RMSE"
    header = ("network", "trained on", "scored on", "epoch kept", f"its {name}", "cost by epoch")
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
    classes = hasattr(model, "classes_")
    name = "log loss" if classes else "RMSE"
    one = found["log_loss" if classes else "rmse"]
    spread = found["spread"]
    # Squares of errors of a large y would leave float64, shares of them do not.
    gone = one - spread if classes else one * np.sqrt(1 - min(spread / (one or 1.0), 1) ** 2)
    always = "the shares of the classes" if classes else "the mean"
    accuracy = f", accuracy {found['accuracy']:.1%}" if classes else ""
    lines = [
        f"held-out rows, each by one network that was not trained on it ({found['rows']:,}): "
        f"{name} {one:.4g}{accuracy}; always answering {always}: {found['constant']:.4g}"
    ]
    if len(model._members) > 1:
        lines.append(
            f"the mean of {plural(len(model._members), 'network')}: {name} about "
            f"{max(gone, 0):.4g} by how far they lie apart (Krogh and Vedelsby, NIPS 1994)"
        )
    if classes:
        lines.append(f"temperature {model.temperature_:.3g}")
    return "\n".join(lines)
