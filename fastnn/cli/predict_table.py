"""Predictions for the rows of a table: a CSV with a line for each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.data.tables.targets import ClassTarget, Target
from fastnn.data.tables.values import pandas
from fastnn.errors import DataError, SettingError
from fastnn.metrics import r2
from fastnn.network import Network
from fastnn.plot._text import format_percent

from .output import print_note, print_result
from .table import TableSource

__all__ = ["class_columns", "only_table", "predict_table", "print_predictions", "score_line"]


def predict_table(net: Network, notes: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Print a CSV of predictions, in the order of the rows; a score where the target is known."""
    path = only_table(arguments)
    source = TableSource.from_notes(notes, net, arguments.model)
    frame, X = source.read(path, arguments.separator)
    predictions, columns = _predictions(net, source, X)
    print_predictions(columns, score_line(source.target, frame, predictions))
    return 0


def only_table(arguments: argparse.Namespace) -> str:
    """Return the path of the one table that is to be predicted."""
    if len(arguments.images) != 1 or arguments.invert:
        raise SettingError(
            f"'{arguments.model}' predicts the rows of a table; give one CSV or Parquet file"
        )
    return str(arguments.images[0])


def print_predictions(columns: dict[str, Any], score: str | None) -> None:
    """Print columns as a CSV, and a score beside it."""
    text = pandas().DataFrame(columns).to_csv(index=False, lineterminator="\n", float_format="%.7g")
    if score is not None:
        print_note(score)
    print_result(text.removesuffix("\n"))


def _predictions(net: Network, source: TableSource, X: Any) -> tuple[Any, dict[str, Any]]:
    """Return labels or values (m,), and the columns of the CSV by their names."""
    if source.regression:
        values = net.predict(X)
        return values, {"prediction": values}
    P = net.predict_proba(X)
    return P.argmax(axis=1), class_columns(source.target.classes, P)


def class_columns(classes: Sequence[str], P: Any) -> dict[str, Any]:
    """Return the columns of the CSV by their names: the likeliest class, all probabilities."""
    columns: dict[str, Any] = {"prediction": [classes[k] for k in P.argmax(axis=1)]}
    return columns | {f"probability of {name}": P[:, k] for k, name in enumerate(classes)}


def score_line(target: Target, frame: Any, predictions: Any) -> str | None:
    """Return the line about how well rows were predicted whose target is in the table."""
    name = target.name
    if name not in frame.columns:
        return None
    known = ~np.asarray(frame[name].isna(), bool)
    try:
        y = target.encode(frame[name][known])
    except DataError as error:
        return f"no score: {error}"
    if not len(y):
        return None
    if not isinstance(target, ClassTarget):
        rmse = float(np.sqrt(np.mean((y - predictions[known]) ** 2)))
        varies = len(y) > 1 and y.std() > 0
        more = f", R² {r2(y, predictions[known]):.4f}" if varies else ""
        return f"against {name} in this table, {len(y):,} rows: RMSE {rmse:,.5g}{more}"
    right = format_percent(float(np.mean(y == predictions[known])), 2)
    return f"against {name} in this table, {len(y):,} rows: accuracy {right}"
