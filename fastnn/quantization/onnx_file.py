"""ONNX models of quantised networks: QuantizeLinear and DequantizeLinear around each product."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn._runtime.optional import require
from fastnn.errors import SettingError
from fastnn.export.onnx_file import write_graph
from fastnn.export.onnx_graph import Graph
from fastnn.export.stages import Scaling
from fastnn.kernels.int8_model import Bytes

from .quantized_dense import SINGLE, QuantizedDense

CENTRE = 128  # the byte that stands for a weight of 0
INPUT_DTYPES = ("float32", "float64", "uint8")


def write_quantized_onnx(
    scaling: Scaling | None, layers: Sequence[QuantizedDense], path: str | os.PathLike[str],
    input_dtype: str | None,
) -> None:  # fmt: skip
    """Write a quantised network as an ONNX model; its `to_onnx` says what it holds and raises."""
    if input_dtype is not None and input_dtype not in INPUT_DTYPES:
        names = ", ".join(INPUT_DTYPES)
        raise SettingError(f"input_dtype must be one of {names}, got {input_dtype!r}")
    onnx = require("onnx", extra="onnx", purpose="writing an ONNX model")
    graph, given = Graph(onnx, SINGLE), np.dtype(input_dtype or SINGLE)
    function = layers[-1].activation.name.lower()
    A = graph.cast("X", given, SINGLE) if scaling is None else graph.scaling("X", scaling, given)
    for number, layer in enumerate(layers, start=1):
        A = _product(graph, layer, _through_bytes(graph, A, layer.input))
        if number < len(layers) and layer.activation.name != "IDENTITY":
            A = graph.activation(A, layer.activation.name.lower())
    name, width = "values", len(layers[-1].W)
    if function in ("sigmoid", "softmax"):
        A, width = graph.both_classes(A, function, width)
        name, A = "probabilities", graph.probabilities(A, function)
    elif function != "identity":
        A = graph.activation(A, function)
    graph.add("Identity", A, output=name)
    ends = [("X", given, layers[0].W.shape[1])], [(name, SINGLE, width)]
    write_graph(graph, *ends, path)


def _through_bytes(graph: Graph, A: str, held: Bytes) -> str:
    """Append the bytes of A and the numbers that they stand for."""
    numbers: tuple[Any, ...] = (
        graph.constant(held.scale), graph.constant(held.zero_point, np.dtype(np.uint8))
    )  # fmt: skip
    return graph.add("DequantizeLinear", graph.add("QuantizeLinear", A, *numbers), *numbers)


def _product(graph: Graph, layer: QuantizedDense, A: str) -> str:
    """Append A W + b, of weights (n_in, n_out) with a scale for each column, and int32 biases.

    Weights are stored as bytes around 128. As signed ones onnxruntime multiplies them, on x86-64
    without VNNI, by an instruction that saturates sums of two products to 16 bits.
    """
    octets, n_out = np.dtype(np.uint8), len(layer.scale)
    W = graph.add(
        "DequantizeLinear", graph.constant(layer.W.T.astype(np.int16) + CENTRE, octets),
        graph.constant(layer.scale), graph.constant(np.full(n_out, CENTRE), octets), axis=1,
    )  # fmt: skip
    bias = graph.constant(layer.bias, np.dtype(np.int32))
    none = graph.constant(np.zeros(n_out), np.dtype(np.int32))
    b = graph.add("DequantizeLinear", bias, graph.constant(layer.unit), none, axis=0)
    return graph.add("Gemm", A, W, b)
