"""Lowering: described layers become a program, and its weights are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import activations, initializers
from fastnn.errors import SettingError
from fastnn.kernels.custom_ops import FIRST
from fastnn.kernels.opcodes import NEEDS_Z, OP, Activation, Kind, Precision
from fastnn.kernels.views import ALIGNMENT, aligned_zeros, moments, scales
from fastnn.layers import Activation as ActivationLayer
from fastnn.layers import BatchNorm, Dense, Dropout, Layer, Normalization, Rescaling
from fastnn.losses import Loss

from .program import BATCHNORM, DENSE, Program

MIN_FEATURES_IN_BLOCKS = 64  # features from which on a first layer may read X block by block
MAX_UNITS_IN_BLOCKS = 32  # units up to which it does; turning a block costs as much as 30 units

Array = np.ndarray[Any, Any]


def output_activation(layers: Sequence[Layer]) -> str:
    """Return the name of the last layer's activation; without one, identity."""
    last = layers[-1]
    if isinstance(last, Dense):
        return last.activation
    return last.function if isinstance(last, ActivationLayer) else "identity"


def validate_layers(layers: Sequence[Layer]) -> None:
    """Refuse an order of layers that means nothing, naming the layer and the rule."""
    if not layers:
        raise SettingError("layers is empty; a network needs at least one Dense layer")
    for place, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise SettingError(
                f"layer {place} is {layer!r}; give Dense, Activation, Dropout, BatchNorm, "
                "GaussianNoise, Rescaling or Normalization"
            )
        if isinstance(layer, Rescaling | Normalization) and place > 0:
            raise SettingError(f"{layer} stands in place {place}; only the first layer may scale")
        name = getattr(layer, "activation", getattr(layer, "function", None))
        if name == "softmax" and place < len(layers) - 1:
            raise SettingError(f"{layer}: softmax is for outputs; put it into the last layer")
        if name == "softmax" and getattr(layer, "units", 2) == 1:
            raise SettingError(
                f"{layer}: softmax of one unit is always 1; use a sigmoid, or 2 units"
            )
    if not any(isinstance(layer, Dense) for layer in layers):
        raise SettingError("the network has no Dense layer, so there is nothing to learn")


def _op(kind: Kind, n_in: int, n_out: int, code: int = 0, b: int = -1) -> Array:
    """Return one row of the op table."""
    op = np.zeros((), OP)
    op["kind"], op["n_in"], op["n_out"], op["code"], op["b"] = kind, n_in, n_out, code, b
    return op


def _input_row(layers: Sequence[Layer], n_in: int) -> Array:
    """Return the INPUT row."""
    op, first = _op(Kind.INPUT, n_in, n_in), layers[0]
    if isinstance(first, Rescaling):
        op["stats"], op["offset"] = 1, first.offset
    elif isinstance(first, Normalization):
        op["stats"] = n_in if first.per_feature else 1
    return op


def _dense_row(layer: Dense, n_in: int, code: int) -> Array:
    """Return the DENSE row of a layer, with the activation of that code."""
    op = _op(Kind.DENSE, n_in, layer.units, code, 0 if layer.use_bias else -1)
    op["rate"] = layer.max_norm or 0
    return op


def _same_width_row(layer: Layer, n: int, number: int) -> tuple[Array, str]:
    """Return the row and the name of a layer of n inputs and outputs; `number` is its place."""
    if isinstance(layer, ActivationLayer):
        return _op(Kind.ACTIVATION, n, n, activations.code(layer.function)), layer.function
    if isinstance(layer, BatchNorm):
        op = _op(Kind.BATCHNORM, n, n, b=0)
        op["rate"], op["offset"] = layer.momentum, layer.epsilon
        return op, "batchnorm"
    kind = Kind.DROPOUT if isinstance(layer, Dropout) else Kind.NOISE
    op = _op(kind, n, n)
    op["layer"], op["rate"] = number, getattr(layer, "rate", getattr(layer, "stddev", 0))
    return op, kind.name.lower()


def _op_rows(
    layers: Sequence[Layer], n_in: int, loss: Loss
) -> tuple[list[Array], list[int], list[str]]:
    """Return the op table's rows, the row of each layer's output, and the rows' names."""
    ops, output_rows, names, width = [_input_row(layers, n_in)], [], ["input"], n_in
    dense = 0
    for place, layer in enumerate(layers):
        if isinstance(layer, Dense):
            dense += 1
            # A loss that starts from the logits: the output's activation is a row of its own.
            apart = loss.from_logits and place == len(layers) - 1
            code = Activation.IDENTITY if apart else activations.code(layer.activation)
            ops.append(_dense_row(layer, width, code))
            names.append(layer.name or f"dense{dense}")
            width = layer.units
            if apart:
                ops.append(_op(Kind.ACTIVATION, width, width, activations.code(layer.activation)))
                names.append(layer.activation)
        elif not isinstance(layer, Rescaling | Normalization):
            op, name = _same_width_row(layer, width, place)
            ops.append(op)
            names.append(name)
        output_rows.append(len(ops) - 1)
    last = _op(Kind.LOSS, width, width, loss.code)
    last["source"], last["rate"] = len(ops) - (2 if loss.from_logits else 1), loss.rate
    return [*ops, last], output_rows, [*names, loss.name if loss.code >= FIRST else "loss"]


def _round_to_cache_lines(size: int, dtype: np.dtype[Any]) -> int:
    """Return a number of items rounded up to whole cache lines."""
    items = ALIGNMENT // dtype.itemsize
    return -(-size // items) * items


def place_parameters(ops: Array, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Set the offsets in theta of every W, then of every b, γ and β; return the ends of both."""
    kinds, widths, biases = (ops[name].tolist() for name in ("kind", "n_out", "b"))
    W, b, end = ops["W"], ops["b"], 0
    for i, (kind, n_in) in enumerate(zip(kinds, ops["n_in"].tolist(), strict=True)):
        if kind == DENSE:
            W[i], end = end, end + _round_to_cache_lines(n_in * widths[i], dtype)
    n_decayed = end
    for i, kind in enumerate(kinds):
        n = _round_to_cache_lines(widths[i], dtype)
        if kind == BATCHNORM:
            W[i], end = end, end + n
        if biases[i] >= 0:
            b[i], end = end, end + n
    return n_decayed, end


def _reads_input_in_blocks(op: Any) -> bool:
    """Whether the first DENSE row reads X block by block, so that A of the input is never held."""
    return bool(
        op["kind"] == Kind.DENSE
        and op["n_in"] >= MIN_FEATURES_IN_BLOCKS
        and op["n_out"] <= MAX_UNITS_IN_BLOCKS
    )


def place_outputs(ops: Array) -> None:
    """Set the offsets in the workspace of every A, and of every Z that a derivative needs."""
    kinds, codes, widths = (ops[name].tolist() for name in ("kind", "code", "n_out"))
    A, Z, end = ops["A"], ops["Z"], 0
    if _reads_input_in_blocks(ops[1]):
        A[0] = -1
    else:
        A[0], end = 0, widths[0]
    for i in range(1, len(ops) - 1):
        A[i] = Z[i] = end
        end += widths[i]
        if kinds[i] == DENSE and codes[i] in NEEDS_Z:
            Z[i], end = end, end + widths[i]


def _place_state(ops: Array) -> int:
    """Set the offsets of all statistics in the state, the input's first; return its length."""
    end = 3 * int(ops[0]["stats"])
    for i, kind in enumerate(ops["kind"].tolist()):
        if kind == BATCHNORM:
            ops["state"][i], end = end, end + 4 * int(ops["n_out"][i])
    return end


def lower(
    layers: Sequence[Layer],
    n_in: int,
    loss: Loss,
    dtype: np.dtype[Any],
    precision: Precision = Precision.FULL,
) -> Program:
    """Return the program of these layers for n_in features: parameters zero, no scaling yet.

    precision: that of the products of all Dense layers.
    """
    op_rows, output_rows, names = _op_rows(layers, n_in, loss)
    ops = np.empty(len(op_rows), OP)  # np.array would compare the fields of all rows first
    for i, op in enumerate(op_rows):
        ops[i] = op
        if op["kind"] == DENSE:
            ops["precision"][i] = precision
    n_decayed, end = place_parameters(ops, dtype)
    place_outputs(ops)
    theta, grad = aligned_zeros(end, dtype), aligned_zeros(end, dtype)
    state = aligned_zeros(_place_state(ops), dtype)
    program = Program(ops, theta, grad, state, n_decayed, tuple(output_rows), tuple(names))
    if isinstance(layers[0], Rescaling):
        program.scale_inputs(np.zeros(1), np.array([layers[0].scale]))
    elif ops[0]["stats"]:
        program.scale_inputs(np.zeros(1), np.ones(1))
    return program


def initialize(
    program: Program, layers: Sequence[Layer], init: str | initializers.Initializer, seed: int
) -> None:
    """Draw every W by its layer's initialiser, from a stream of its own; b and β 0, γ 1.

    BatchNorm's running averages begin at mean 0 and variance 1.
    """
    views = program.views(program.theta)
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    program.theta[...] = 0
    for number, layer in enumerate(dense, start=1):
        W = views[f"W{number}"]
        drawer = initializers.resolve(layer.init if layer.init is not None else init)
        W[...] = drawer.draw(np.random.default_rng([seed, number]), *W.shape)
    for op in program.ops[program.ops["kind"] == BATCHNORM]:
        scales(program.theta, op)[0][...] = 1
        for i, values in enumerate(moments(program.state, op)):
            values[...] = i % 2  # means 0, variances 1
