"""Quantisation: from a trained network and a sample to a quantised network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.export.stages import Scaling
from fastnn.layers import Dense
from fastnn.training.state import NetworkState

from .calibration import apply_step, calibrate, scaled
from .dense_steps import DenseStep, check_trained, dense_steps
from .quantized_dense import SINGLE, QuantizedDense, quantize_dense
from .quantized_network import QuantizedNetwork
from .report import QuantizationReport, compare

__all__ = ["quantize"]

Array = np.ndarray[Any, Any]


def quantize(
    state: NetworkState, X_sample: Any, max_error: float | None, predict: Callable[[Any], Array]
) -> QuantizedNetwork:
    """Return a quantised network; `Network.quantize` says what it takes and raises.

    predict: returns outputs (m, K) of the network itself, with which those in int8 are compared.
    """
    limit = None if max_error is None else arguments.positive(max_error, "max_error")
    check_trained(state)
    scaling, steps = dense_steps(state)
    name = f"Dense {state.program.first_dense_name!r}"
    X = arguments.finite_examples(X_sample, state.program.inputs, name, "X_sample")
    arguments.check_representable(X, SINGLE, "X_sample")
    held, wanted = calibrate(scaling, steps, X), predict(X)
    layers = [
        quantize_dense(step, number, each)
        for number, (step, each) in enumerate(zip(steps, held, strict=True), start=1)
    ]
    network = QuantizedNetwork(scaling, layers, _NONE, _output_state(state, layers[-1]))
    found = network.outputs_of(X)
    arithmetic = "mixed precision" if state.precision == "mixed" else state.dtype.name
    network.report = compare(wanted, found, steps[-1].activation, arithmetic)
    if limit is not None and not network.report.max_error <= limit:
        row = int(np.abs(found - wanted).max(axis=1).argmax())
        number = _worst(scaling, steps, layers, X[row : row + 1])
        raise SettingError(
            f"int8 outputs differ from {arithmetic}'s by up to {network.report.max_error:.3g} in "
            f"row {row} of X_sample, more than max_error={limit:g}, most of it by dense layer "
            f"{number}; leave outliers out of the sample, train with l2, or allow a larger error"
        )
    return network


_NONE = QuantizationReport(0, 0.0, 0.0, None)  # before the outputs are known


def _output_state(state: NetworkState, last: QuantizedDense) -> NetworkState:
    """Return the state of the output layer alone, by which predictions are scored."""
    output = Dense(len(last.W), last.activation.name.lower())
    found = NetworkState.checked([output], loss=state.loss, scale_target=state.scale_target)
    found.target_scaling, found.metrics = state.target_scaling, state.metrics
    return found


def _worst(
    scaling: Scaling | None, steps: Sequence[DenseStep], layers: Sequence[QuantizedDense], X: Array
) -> int:
    """Return the number, from 1, of the layer whose bytes alone change the output of X most."""
    errors = []
    for place in range(len(steps)):
        given = found = scaled(scaling, X)
        for number, step in enumerate(steps):
            given = apply_step(step, given)
            found = _by_bytes(layers[number], found) if number == place else apply_step(step, found)
        errors.append(float(np.abs(found - given).max()))
    return int(np.argmax(errors)) + 1


def _by_bytes(layer: QuantizedDense, A: Array) -> Array:
    """Return g(A W + b) (m, n_out) with the numbers that a layer's bytes stand for."""
    scale, zero_point = layer.input
    Q = np.clip(np.rint(A / scale) + zero_point, 0, 255)
    W = layer.W.T.astype(np.float64) * layer.scale
    b = layer.bias * layer.unit.astype(np.float64)
    return apply_step(DenseStep(W, b, layer.activation), ((Q - zero_point) * scale).astype(SINGLE))
