"""Int8 models: what the int8 prediction of a network is made of, for all backends.

A number x is held as a byte q: x = scale (q − zero), with q = clip(round(x / scale) + zero) to
0 … 255, ties to even; a weight w as a signed byte v: w = scale[o] v, one scale for each unit o.
This is QuantizeLinear and DequantizeLinear of ONNX, with a zero point of 0 for weights, and the
scheme of Jacob et al.

References: Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018, arXiv:1712.05877; ONNX operators QuantizeLinear and
DequantizeLinear, https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .opcodes import Activation

Array = np.ndarray[Any, Any]

#: The largest byte of an activation, and the largest size of a signed byte of a weight.
MAX_BYTE, MAX_SIGNED_BYTE = 255, 127
#: The largest size of a bias, in units of a sum of products.
MAX_INT8_BIAS = 2**30
#: Features up to which no sum of products Σ (q − zero) v, with a bias, leaves int32.
MAX_INT8_FEATURES = (2**31 - 1 - MAX_INT8_BIAS) // (MAX_BYTE * MAX_SIGNED_BYTE)
#: Activations that act on sums by their clipping to bytes alone.
FUSED = (Activation.IDENTITY, Activation.RELU)


class Bytes(NamedTuple):
    """How numbers are held as bytes: x = scale (q − zero_point)."""

    scale: np.float32
    zero_point: int  # 0 to 255


class Int8Layer(NamedTuple):
    """A dense layer whose inputs and weights are bytes.

    S[i, o] = bias[o] + Σₖ q[i, k] W[o, k] is exact in int32. Z = factor S is the argument of g. Of
    a `FUSED` activation before another layer, factor is divided by the scale of that layer's
    inputs besides: their bytes are clip(round(factor S) + zero_point). For relu, whose zero point
    is 0, that makes what is below 0 to 0. S, and factor S, are rounded to float32.
    """

    W: Array  # (n_out, n_in) int8
    bias: Array  # (n_out,) int32: of the layer, less zero point · Σₖ W[o, k]
    factor: Array  # (n_out,) float32
    code: Activation  # g; softmax in the last layer alone
    output: Bytes | None  # how A = g(Z) is held; None: the last layer, whose A is float32


class Int8Model(NamedTuple):
    """The layers of an int8 prediction, and how its first bytes are made of X."""

    ops: Array  # (1,) of dtype `opcodes.OP`: the INPUT row, which scales X in float32
    state: Array  # (s,) float32: statistics of the INPUT row
    input: Bytes  # how the scaled X is held
    layers: tuple[Int8Layer, ...]
