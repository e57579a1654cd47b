"""ONNX files: a trained network as a graph of standard operators that other runtimes read."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from fastnn._atomic import replace
from fastnn._extras import require
from fastnn.errors import SettingError
from fastnn.folding import fold
from fastnn.kernels.opcodes import LEAK, SELU_ALPHA, SELU_SCALE
from fastnn.lowering import output_activation

from .stages import Drop, Function, Norm, Product, Scaling, stages, usable

if TYPE_CHECKING:
    from fastnn.network import Network

Array = np.ndarray[Any, Any]

OPSET = 17  # from 2022; runtimes read older opsets
IR_VERSION = 8  # the file format of that opset's release

#: Activations that are one ONNX operator each (https://onnx.ai/onnx/operators), its attributes.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": LEAK}),
    "softmax": ("Softmax", {"axis": 1}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
    "softplus": ("Softplus", {}),
}


class Graph:
    """An ONNX graph that grows: each call of `add` returns the name of a new node's output."""

    def __init__(self, onnx: Any, dtype: np.dtype[Any]) -> None:
        self.onnx, self.dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> str:
        """Return the name of a new constant in the network's dtype."""
        name = f"c{len(self.constants)}"
        array = np.ascontiguousarray(values, self.dtype)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def affine(self, X: str, shift: Array, factor: Array, offset: Any) -> str:
        """Append (X − shift) factor + offset."""
        centred = self.add("Sub", X, self.constant(shift))
        scaled = self.add("Mul", centred, self.constant(factor))
        return self.add("Add", scaled, self.constant(offset))

    def activation(self, Z: str, name: str) -> str:
        """Append g(Z); gelu, silu and mish are put together, for opset 17 lacks them."""
        if name in OPERATORS:
            kind, attributes = OPERATORS[name]
            return self.add(kind, Z, **attributes)
        if name == "silu":
            return self.add("Mul", Z, self.add("Sigmoid", Z))
        if name == "mish":
            return self.add("Mul", Z, self.add("Tanh", self.add("Softplus", Z)))
        erf = self.add("Erf", self.add("Mul", Z, self.constant(math.sqrt(0.5))))
        share = self.add("Mul", self.add("Add", erf, self.constant(1)), self.constant(0.5))
        return self.add("Mul", Z, share)


def to_onnx(
    network: Network, path: str | os.PathLike[str], *, input_dtype: str | None = None
) -> None:
    """Write a network as an ONNX model of its predictions.

    The graph has one input ``X`` (m, n), any m, and one output: ``probabilities`` (m, K), what
    `Network.predict_proba` returns (both classes' for one sigmoid), or else ``values`` (m, K).
    Learnt input scaling is in the graph, BatchNorm is folded into the weights where it follows a
    product, dropout and noise are gone.

    Parameters
    ----------
    network : Network
        Built; with a `Normalization` layer, fitted.
    path : str or path
        ``.onnx`` is the usual ending. A file there is replaced, in one piece.
    input_dtype : {"float32", "float64", "uint8"}, optional
        Dtype of ``X``; by default the network's. With ``"uint8"`` the graph takes images as they
        are stored, and begins with a cast.

    Raises
    ------
    MissingExtraError
        Without the onnx package; the extra is ``fastnn[onnx]``.
    NotBuiltError
        If the network is not built, or its scaling not learnt.
    SettingError
        If an activation is registered by the user, or the input dtype is another one.
    OSError
        If the file cannot be written; a file that was there is as it was.

    Notes
    -----
    Operators of opset 17. Some runtimes have no float64 kernels for some activations.
    """
    program = usable(network, "ONNX")
    known = ("float32", "float64", "uint8")
    if input_dtype is not None and input_dtype not in known:
        raise SettingError(f"input_dtype must be one of {', '.join(known)}, got {input_dtype!r}")
    onnx = require("onnx", extra="onnx", purpose="writing an ONNX model")
    graph, X = Graph(onnx, network.dtype), "X"
    number = onnx.helper.np_dtype_to_tensor_dtype
    given = np.dtype(input_dtype or network.dtype)
    if given != network.dtype:
        X = graph.add("Cast", X, to=number(network.dtype))
    for stage in stages(fold(program)):
        if isinstance(stage, Scaling):
            X = graph.affine(X, stage.shift, stage.factor, stage.offset)
        elif isinstance(stage, Norm):
            factor = stage.gamma / np.sqrt(stage.variance.astype(np.float64) + stage.epsilon)
            X = graph.affine(X, stage.mean, factor, stage.beta)
        elif isinstance(stage, Product):
            product = graph.add("MatMul", X, graph.constant(stage.W))
            X = graph.add("Add", product, graph.constant(stage.b))
        elif isinstance(stage, Function):
            X = graph.activation(X, stage.name)
        else:
            assert isinstance(stage, Drop)  # nothing in predictions
    name, width = _finish(graph, X, output_activation(network.layers), network.outputs)
    ends = [
        onnx.helper.make_tensor_value_info(which, number(dtype), ["m", n])
        for which, dtype, n in (("X", given, network.inputs), (name, network.dtype, width))
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "fastnn", ends[:1], ends[1:], graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastnn",
    )
    onnx.checker.check_model(model)
    replace(path, partial(_write, model))


def _write(model: Any, file: BinaryIO) -> None:
    """Write an ONNX model to an open file."""
    file.write(model.SerializeToString())


def _finish(graph: Graph, A: str, activation: str, outputs: int) -> tuple[str, int]:
    """Append the output's own name, and 1 − p for one sigmoid; return that name and its width."""
    if activation == "sigmoid" and outputs == 1:
        other = graph.add("Sub", graph.constant([[1]]), A)
        return graph.add("Concat", other, A, axis=1, output="probabilities"), 2
    name = "probabilities" if activation in ("sigmoid", "softmax") else "values"
    return graph.add("Identity", A, output=name), outputs
