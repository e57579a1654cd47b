"""ONNX files of tabular estimators: encoding, codes, networks and their mean in one graph."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn._runtime.optional import require
from fastnn.data.tables.columns import DateColumn, NumberColumn
from fastnn.errors import SettingError
from fastnn.export.onnx_file import End, write_graph
from fastnn.network.description import state_of

from .codes import PiecewiseLinearCodes
from .onnx_columns import ColumnGraph

__all__ = ["write_onnx"]

FLOAT, WIDE = np.dtype(np.float32), np.dtype(np.float64)
OUTPUTS = ("label", "probabilities", "values")


def write_onnx(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; its `to_onnx` says what the graph holds."""
    check_is_fitted(model)
    onnx = require("onnx", extra="onnx", purpose="writing an ONNX model")
    graph = ColumnGraph(onnx, FLOAT)
    inputs = _inputs(model)
    names = {name: name for name, _, _ in inputs}
    if "X" in names and not model._named:
        columns = model.encoder_.columns
        names = {each.name: graph.column("X", model._names.index(each.name)) for each in columns}
    features = graph.features(model.encoder_, names)
    found = [graph.statistic(each, names[each.name]) for each in model._statistics]
    if found:
        features = graph.add("Concat", features, *found, axis=1)
    mean = _mean(graph, model, features)
    if not hasattr(model, "classes_"):
        scaled = graph.with_constant("Mul", mean, model._deviation, WIDE)
        graph.add("Add", scaled, graph.constant(model._shift, WIDE), output="values")
        write_graph(graph, inputs, [("values", WIDE, model.n_outputs_)], path)
        return
    total = graph.add("ReduceSum", mean, graph.constant([1], np.dtype(np.int64)), keepdims=1)
    P = graph.add("Div", mean, total, output="probabilities")
    classes = _classes(model)
    place = graph.add("ArgMax", P, axis=1, keepdims=0)
    graph.add("Gather", graph.constant(classes, classes.dtype), place, output="label", axis=0)
    ends: list[End] = [("label", classes.dtype, None), ("probabilities", WIDE, len(classes))]
    write_graph(graph, inputs, ends, path)


def _inputs(model: Any) -> list[End]:
    """Return the inputs: one for each column that is used, or X of an array of numbers."""
    columns = list(model.encoder_.columns)
    used = {each.name for each in columns}
    columns += [each for each in model._statistics if each.name not in used]
    if not model._named and all(isinstance(each, NumberColumn) for each in columns):
        return [("X", WIDE, model.n_features_in_)]
    dtypes = {NumberColumn: WIDE, DateColumn: np.int64}  # all others are texts
    clash = [each.name for each in columns if each.name in OUTPUTS or not each.name]
    if clash:
        raise SettingError(
            f"column {clash[0]!r} cannot name an input of the graph, whose outputs are "
            f"{', '.join(OUTPUTS)}; rename it and fit again"
        )
    return [(each.name, dtypes.get(type(each), object), 1) for each in columns]


def _classes(model: Any) -> Any:
    """Return the classes as text, whole numbers or floats: what a graph can hold."""
    kind = model.classes_.dtype.kind
    return model.classes_.astype(object if kind in "OU" else WIDE if kind == "f" else np.int64)


def _mean(graph: ColumnGraph, model: Any, features: str) -> str:
    """Append the mean (m, K) of the networks' outputs, in float64."""
    coded = _coded(graph, features, model._codes)
    found = []
    for each in model._members:
        rows = coded if each.coded else features
        Z, function = graph.logits(rows, state_of(each.network), FLOAT)
        Z, _ = graph.both_classes(Z, function, each.network.outputs)
        A = Z if function == "identity" else graph.probabilities(Z, function)
        found.append(graph.cast(A, FLOAT, WIDE))
    return graph.with_constant("Mul", graph.add("Sum", *found), 1 / len(found), WIDE)


def _coded(graph: ColumnGraph, features: str, codes: PiecewiseLinearCodes) -> str:
    """Append features and codes side by side, as `PiecewiseLinearCodes.transform` does."""
    if not codes.width:
        return features
    low, high = codes.bins(FLOAT)
    own = graph.add("Gather", features, graph.constant(codes.columns, np.dtype(np.int64)), axis=1)
    share = graph.with_constant("Div", graph.with_constant("Sub", own, low), high - low)
    share = graph.with_constant("Min", graph.with_constant("Max", share, 0), 1)
    return graph.add("Concat", features, share, axis=1)
