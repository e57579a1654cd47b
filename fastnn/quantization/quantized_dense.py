"""Quantised dense layers: signed bytes for weights, bytes for inputs, and the model of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.errors import DataError
from fastnn.export.stages import Scaling
from fastnn.kernels.int8_model import (
    FUSED,
    MAX_INT8_BIAS,
    MAX_SIGNED_BYTE,
    Bytes,
    Int8Layer,
    Int8Model,
)
from fastnn.kernels.opcodes import OP, Activation, Kind

from .calibration import SMALLEST
from .dense_steps import DenseStep

Array = np.ndarray[Any, Any]
SINGLE = np.dtype(np.float32)


@dataclass(frozen=True, eq=False)
class QuantizedDense:
    """A = g(Z), Z[i, o] = s scale[o] (bias[o] + Σₖ (q[i, k] − zero point) W[o, k]).

    Attributes
    ----------
    W : ndarray (n_out, n_in) int8
        From −127 to 127.
    scale : ndarray (n_out,) float32
        Of the weights of each unit.
    bias : ndarray (n_out,) int32
        In units of s scale.
    activation : Activation
        g.
    input : Bytes
        How inputs are held: their scale s and zero point.
    """

    W: Array
    scale: Array
    bias: Array
    activation: Activation
    input: Bytes

    @property
    def unit(self) -> Array:
        """The float32 number s scale (n_out,) that a sum of 1 stands for."""
        return self.scale * self.input.scale


def quantize_dense(step: DenseStep, number: int, held: Bytes) -> QuantizedDense:
    """Return a step with weights of bytes.

    The scale of a unit is max |W[:, o]| / 127, or larger where its bias would leave int32.

    Raises
    ------
    DataError
        If its weights or biases are so large that no float32 holds what a sum stands for.
    """
    W, s = step.W.T, float(held.scale)
    largest = np.abs(W).max(axis=1) / MAX_SIGNED_BYTE
    with np.errstate(over="ignore"):
        scale = np.maximum(largest, np.abs(step.b) / (s * MAX_INT8_BIAS))
        scale = np.where(scale > 0, np.maximum(scale, SMALLEST), 1).astype(np.float32)
        unit = scale * held.scale
    if not np.isfinite(unit).all():
        raise DataError(
            f"dense layer {number} has weights or biases beyond what int8 prediction holds "
            f"(up to {max(np.abs(W).max(), np.abs(step.b).max()):.3g}); scale its inputs down"
        )
    rounded = np.rint(W / scale[:, None].astype(np.float64))
    signed = np.clip(rounded, -MAX_SIGNED_BYTE, MAX_SIGNED_BYTE).astype(np.int8)
    bias = np.rint(step.b / (scale.astype(np.float64) * s))
    bias = np.clip(bias, -MAX_INT8_BIAS, MAX_INT8_BIAS).astype(np.int32)
    return QuantizedDense(signed, scale, bias, step.activation, held)


def int8_model(scaling: Scaling | None, layers: Sequence[QuantizedDense]) -> Int8Model:
    """Return the model that kernels run."""
    found = []
    following = [*(layer.input for layer in layers[1:]), None]
    for layer, output in zip(layers, following, strict=True):
        bias = layer.bias - layer.input.zero_point * layer.W.astype(np.int64).sum(axis=1)
        factor = layer.unit
        if output is not None and layer.activation in FUSED:
            factor = (layer.unit.astype(np.float64) / float(output.scale)).astype(np.float32)
        found.append(Int8Layer(layer.W, bias.astype(np.int32), factor, layer.activation, output))
    return Int8Model(*input_row(scaling, layers[0].W.shape[1]), layers[0].input, tuple(found))


def input_row(scaling: Scaling | None, n: int) -> tuple[Array, Array]:
    """Return the INPUT row (1,) of an op table, and the statistics (s,) that it points to."""
    ops, state = np.zeros(1, OP), np.zeros(0, np.float32)
    ops["kind"], ops["n_in"], ops["n_out"] = Kind.INPUT, n, n
    if scaling is not None:
        ops["stats"], ops["offset"] = scaling.shift.size, scaling.offset
        state = np.concatenate([scaling.shift, scaling.factor, scaling.rest]).astype(np.float32)
    return ops, state
