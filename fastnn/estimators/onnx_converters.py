"""Converters of the estimators for skl2onnx, which turns scikit-learn's pipelines into ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn._runtime.optional import require
from fastnn.export.onnx_graph import Graph
from fastnn.lowering.lower import output_activation
from fastnn.network.description import state_of

from ..errors import DataError, SettingError, ShapeError
from .convertible import Convertible
from .logistic import LogisticRegression
from .perceptrons import MLPClassifier, MLPRegressor

__all__ = ["register_skl2onnx"]

Array = np.ndarray[Any, Any]

#: What skl2onnx's users may ask of a classifier, as of scikit-learn's own: `zipmap` for
#: probabilities as tables or columns, `nocl` for labels 0 … K−1, `output_class_labels` for the
#: classes as a third output. `raw_scores`, for logits in place of probabilities, is for what has a
#: decision_function: CalibratedClassifierCV's converter calibrates them wherever they are offered.
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}
RAW = {"raw_scores": [True, False]}
#: Inputs by the names of skl2onnx's types.
INPUTS = {
    "Float": np.float32,
    "Double": np.float64,
    "Int64": np.int64,
    "Int32": np.int32,
    "UInt8": np.uint8,
    "Boolean": np.bool_,
}


def register_skl2onnx() -> None:
    """Make fastnn's estimators known to skl2onnx, once in a process; needs ``fastnn[onnx]``.

    From then on `skl2onnx.to_onnx` and `skl2onnx.convert_sklearn` take pipelines, searches and
    ensembles that hold fitted ones. Inputs, outputs and options are those of scikit-learn's own
    classifiers and regressors; K targets come as (m, K). Arithmetic is in the network's dtype,
    outputs are float64 where the inputs are, else float32.

    Raises
    ------
    MissingExtraError
        Without skl2onnx.

    Examples
    --------
    >>> fastnn.estimators.register_skl2onnx()
    >>> model = skl2onnx.to_onnx(pipeline, X[:1].astype("float32"), options={"zipmap": False})
    """
    skl2onnx = require("skl2onnx", extra="onnx", purpose="converting pipelines to ONNX")
    for kind, options in ((MLPClassifier, OPTIONS), (LogisticRegression, OPTIONS | RAW)):
        skl2onnx.update_registered_converter(
            kind, f"Fastnn{kind.__name__}", _classifier_types, _classifier, options=options
        )
    skl2onnx.update_registered_converter(
        MLPRegressor, "FastnnMLPRegressor", _regressor_types, _regressor
    )
    Convertible._registered = True


class _Part(Graph):
    """A part of the graph that skl2onnx grows: names come from its scope."""

    def __init__(self, dtype: np.dtype[Any], scope: Any, container: Any) -> None:
        super().__init__(require("onnx", extra="onnx", purpose="converting to ONNX"), dtype)
        self.scope, self.container = scope, container

    def constant(self, values: Any, dtype: np.dtype[Any] | None = None) -> str:
        """Return the name of a new constant, in the network's dtype or in another."""
        name: str = self.scope.get_unique_variable_name("constant")
        array = np.ascontiguousarray(values, dtype or self.dtype)
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        flat = [text.encode() for text in array] if array.dtype == object else array.ravel()
        self.container.add_initializer(name, kind, array.shape, flat)
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        name: str = output or self.scope.get_unique_variable_name(kind.lower())
        own = self.scope.get_unique_operator_name(kind)
        self.container.add_node(kind, list(inputs), [name], name=own, **attributes)
        return name

    def scores(self, operator: Any) -> tuple[str, str]:
        """Append the estimator's network up to its outputs' sigmoid or softmax.

        Returns
        -------
        (str, str)
            The name of the logits, of both classes for one sigmoid, or of the values; and of that
            function.
        """
        net = operator.raw_operator.network_
        Z, function = self.logits(operator.inputs[0].full_name, state_of(net), _given(operator))
        return self.both_classes(Z, function, net.outputs)[0], function

    def end(self, values: str, output: Any) -> None:
        """Append what gives an output its name and its type."""
        dtype = np.dtype(np.float64 if "Double" in type(output.type).__name__ else np.float32)
        self.add("Identity", self.cast(values, self.dtype, dtype), output=output.full_name)


def _given(operator: Any) -> np.dtype[Any]:
    """Return the dtype of the operator's input X (m, n), checked."""
    model, given = operator.raw_operator, operator.inputs[0].type
    check_is_fitted(model)
    if len(getattr(model, "networks_", ())) > 1:
        raise SettingError(
            f"a graph holds one network, but {type(model).__name__} has {len(model.networks_)}; "
            "convert one with n_networks=1, or each of networks_ by its to_onnx"
        )
    name = type(given).__name__.removesuffix("TensorType")
    if name not in INPUTS:
        raise DataError(f"the input of {model} must be one of {', '.join(INPUTS)}, got {given}")
    n = given.shape[1] if len(given.shape) == 2 else None
    if isinstance(n, int) and n != model.network_.inputs:
        raise ShapeError(
            f"{type(model).__name__} was fitted to {model.network_.inputs} features, but the "
            f"declared input has shape {given.shape}; declare it as [None, {model.network_.inputs}]"
        )
    return np.dtype(INPUTS[name])


def _numbers(operator: Any, m: Any) -> Any:
    """Return the type of numbers (m, K): float64 where the input is, else float32."""
    from skl2onnx.common import data_types as types

    kind = types.DoubleTensorType if _given(operator) == np.float64 else types.FloatTensorType
    net = operator.raw_operator.network_
    K = net.outputs
    return kind([m, 2 if K == 1 and output_activation(net.layers) == "sigmoid" else K])


def _is_multilabel(model: Any) -> bool:
    """Return whether an example can have several labels."""
    net = model.network_
    return bool(net.outputs > 1 and output_activation(net.layers) == "sigmoid")


def _classes(scope: Any, model: Any) -> Array:
    """Return the labels: text, or int64, as which floats count; 0 … K−1 for the option nocl."""
    from skl2onnx.common.utils_classifier import get_label_classes

    classes = np.asarray(get_label_classes(scope, model))
    return classes.astype(object if classes.dtype.kind in "UO" else np.int64)


def _classifier_types(operator: Any) -> None:
    """Set the types of labels and probabilities."""
    from skl2onnx.common import data_types as types

    m, model = operator.inputs[0].get_first_dimension(), operator.raw_operator
    numbers = _numbers(operator, m)
    classes = _classes(operator.scope_inst, model)
    label = types.StringTensorType if classes.dtype == object else types.Int64TensorType
    operator.outputs[0].set_type(label([m, len(classes)] if _is_multilabel(model) else [m]))
    operator.outputs[1].set_type(numbers)


def _classifier(scope: Any, operator: Any, container: Any) -> None:
    """Append labels, and probabilities or logits of each class."""
    model, label = operator.raw_operator, operator.outputs[0].full_name
    graph = _Part(model.network_.dtype, scope, container)
    scores, function = graph.scores(operator)
    if _is_multilabel(model):
        chosen = graph.with_constant("Greater", scores, 0)
        graph.add("Cast", chosen, output=label, to=graph.onnx.TensorProto.INT64)
    else:
        classes = _classes(scope, model)
        if len(classes) == 1:  # there are two scores, but nothing else to call the second
            classes = classes.repeat(2)
        place = graph.add("ArgMax", scores, axis=1, keepdims=0)
        graph.add("Gather", graph.constant(classes, classes.dtype), place, output=label, axis=0)
    raw = container.get_options(model).get("raw_scores", False)
    graph.end(scores if raw else graph.probabilities(scores, function), operator.outputs[1])


def _regressor_types(operator: Any) -> None:
    """Set the type of the values (m, K)."""
    operator.outputs[0].set_type(_numbers(operator, operator.inputs[0].get_first_dimension()))


def _regressor(scope: Any, operator: Any, container: Any) -> None:
    """Append the values (m, K)."""
    graph = _Part(operator.raw_operator.network_.dtype, scope, container)
    values, function = graph.scores(operator)
    if function != "identity":
        values = graph.probabilities(values, function)
    graph.end(values, operator.outputs[0])
