"""ONNX files: a trained network as a graph of standard operators that other runtimes read."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from fastnn._runtime.optional import require
from fastnn.errors import SettingError
from fastnn.saving.atomic_write import replace

from .onnx_graph import ACTIVATIONS, OPSET, Graph
from .stages import usable

if TYPE_CHECKING:
    from fastnn.network import Network

IR_VERSION = 8  # the file format of the release that brought OPSET


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
    Operators of opset 17, in the network's dtype, for which onnxruntime has kernels in float32 and
    in float64. Its outputs agree with `Network`'s to 1e-5 of the largest in float32, to 1e-12 in
    float64; its own float32 kernels are approximations of a few units in the last place.
    """
    usable(network, "ONNX", ACTIVATIONS)
    known = ("float32", "float64", "uint8")
    if input_dtype is not None and input_dtype not in known:
        raise SettingError(f"input_dtype must be one of {', '.join(known)}, got {input_dtype!r}")
    onnx = require("onnx", extra="onnx", purpose="writing an ONNX model")
    graph = Graph(onnx, network.dtype)
    given = np.dtype(input_dtype or network.dtype)
    Z, function = graph.logits("X", network, given)
    Z, width = graph.of_classes(Z, function, network.outputs)
    name = "values" if function == "identity" else "probabilities"
    if function != "identity":
        Z = graph.probabilities(Z, function)
    graph.add("Identity", Z, output=name)
    number = onnx.helper.np_dtype_to_tensor_dtype
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
