"""ONNX files: a trained network as a graph of standard operators that other runtimes read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from fastnn._runtime.optional import require
from fastnn.errors import SettingError
from fastnn.saving.atomic_write import replace
from fastnn.training.state import NetworkState

from .onnx_graph import ACTIVATIONS, OPSET, Graph
from .stages import check_exportable

IR_VERSION = 8  # the file format of the release that brought OPSET
#: Operators for text, of the same release.
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 3
#: An input or output: name, dtype, and columns, None for a vector.
End = tuple[str, Any, int | None]


def write_onnx(
    state: NetworkState, path: str | os.PathLike[str], *, input_dtype: str | None = None
) -> None:
    """Write a network as an ONNX model of its predictions; `interop.to_onnx` says what it holds.

    Operators of opset 17, in the network's dtype, for which onnxruntime has kernels in float32 and
    in float64.
    """
    check_exportable(state, "ONNX", ACTIVATIONS)
    known = ("float32", "float64", "uint8")
    if input_dtype is not None and input_dtype not in known:
        raise SettingError(f"input_dtype must be one of {', '.join(known)}, got {input_dtype!r}")
    onnx = require("onnx", extra="onnx", purpose="writing an ONNX model")
    graph = Graph(onnx, state.dtype)
    given = np.dtype(input_dtype or state.dtype)
    Z, function = graph.logits("X", state, given)
    Z, width = graph.both_classes(Z, function, state.outputs)
    name = "values" if function == "identity" else "probabilities"
    if function != "identity":
        Z = graph.probabilities(Z, function)
    graph.add("Identity", Z, output=name)
    inputs, outputs = [("X", given, state.inputs)], [(name, state.dtype, width)]
    write_graph(graph, inputs, outputs, path)


def write_graph(
    graph: Graph, inputs: Sequence[End], outputs: Sequence[End], path: str | os.PathLike[str]
) -> None:
    """Write a graph as a model file; one that is there is replaced, in one piece."""
    onnx = graph.onnx
    number = onnx.helper.np_dtype_to_tensor_dtype

    def described(ends: Sequence[End]) -> list[Any]:
        return [
            onnx.helper.make_tensor_value_info(
                name, number(np.dtype(dtype)), ["m"] if width is None else ["m", width]
            )
            for name, dtype, width in ends
        ]

    used = {node.domain for node in graph.nodes}
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes, "fastnn", described(inputs), described(outputs), graph.constants
        ),
        opset_imports=[
            onnx.helper.make_opsetid(domain, version)
            for domain, version in (("", OPSET), (ML_DOMAIN, ML_OPSET))
            if domain in used
        ],
        ir_version=IR_VERSION,
        producer_name="fastnn",
    )
    onnx.checker.check_model(model)
    replace(path, partial(_write, model))


def _write(model: Any, file: BinaryIO) -> None:
    """Write an ONNX model to an open file."""
    file.write(model.SerializeToString())
