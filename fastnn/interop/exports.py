"""Networks handed on to other libraries."""

from __future__ import annotations

import os
from typing import Any

from fastnn.export.onnx_file import write_onnx
from fastnn.export.torch_model import torch_module
from fastnn.network import Network
from fastnn.network.description import state_of


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
    float64; its own float32 kernels are approximations of a few units in the last place. Of a
    network with ``precision="mixed"`` the graph is that of its float32 parameters: nothing is
    rounded to bfloat16, and outputs differ from the network's by what that does.
    """
    write_onnx(state_of(network), path, input_dtype=input_dtype)


def to_torch(network: Network) -> Any:
    """Return a network as a torch.nn.Sequential with equal outputs, in evaluation mode.

    Its output is that of the last layer, (m, K): for one sigmoid the probability of class 1.
    Dropout and BatchNorm come along, noise does not; learnt scaling is a module of its own. Of a
    network with ``precision="mixed"`` the module rounds nothing to bfloat16.
    Nothing is drawn: PyTorch's random generator stays where it is.

    Parameters
    ----------
    network : Network
        Built; with a `Normalization` layer, fitted.

    Raises
    ------
    MissingExtraError
        Without PyTorch; the extra is ``fastnn[torch]``.
    NotBuiltError
        If the network is not built, or its scaling not learnt.
    SettingError
        If an activation is registered by the user.
    """
    return torch_module(state_of(network))
