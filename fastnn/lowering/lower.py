"""Lowering: described layers become a program, and its weights are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import activations, initializers
from fastnn.errors import SettingError
from fastnn.kernels.opcodes import NEEDS_Z, OP, Activation, Kind
from fastnn.kernels.views import ALIGNMENT, aligned_zeros, moments, scales
from fastnn.layers import Activation as ActivationLayer
from fastnn.layers import BatchNorm, Dense, Dropout, Layer, Normalization, Rescaling
from fastnn.losses import Loss

from .program import Program

WIDE, NARROW = 64, 32  # inputs from which on and outputs up to which a first layer reads in place

Array = np.ndarray[Any, Any]


def output_activation(layers: Sequence[Layer]) -> str:
    """Return the name of the last layer's activation; without one, identity."""
    last = layers[-1]
    if isinstance(last, Dense):
        return last.activation
    return last.function if isinstance(last, ActivationLayer) else "identity"


def validate(layers: Sequence[Layer]) -> None:
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


def _input(layers: Sequence[Layer], n_in: int) -> Array:
    """Return the INPUT row."""
    op, first = _op(Kind.INPUT, n_in, n_in), layers[0]
    if isinstance(first, Rescaling):
        op["stats"], op["offset"] = 1, first.offset
    elif isinstance(first, Normalization):
        op["stats"] = n_in if first.per_feature else 1
    return op


def _dense(layer: Dense, n_in: int, code: int) -> Array:
    """Return the row of a Dense layer, with that activation."""
    op = _op(Kind.DENSE, n_in, layer.units, code, 0 if layer.use_bias else -1)
    op["rate"] = layer.max_norm or 0
    return op


def _between(layer: Layer, n: int, number: int) -> tuple[Array, str]:
    """Return the row and the name of a layer that keeps the width; `number` is its place."""
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


def _rows(
    layers: Sequence[Layer], n_in: int, loss: Loss
) -> tuple[list[Array], list[int], list[str]]:
    """Return the op table's rows, the row of each layer's output, and the rows' names."""
    ops, places, names, width = [_input(layers, n_in)], [], ["input"], n_in
    from_logits = loss.needs in (("sigmoid",), ("softmax",))
    dense = 0
    for place, layer in enumerate(layers):
        if isinstance(layer, Dense):
            dense += 1
            # Cross-entropies start from the logits: the output's activation is a row of its own.
            split = from_logits and place == len(layers) - 1
            code = Activation.IDENTITY if split else activations.code(layer.activation)
            ops.append(_dense(layer, width, code))
            names.append(layer.name or f"dense{dense}")
            width = layer.units
            if split:
                ops.append(_op(Kind.ACTIVATION, width, width, activations.code(layer.activation)))
                names.append(layer.activation)
        elif not isinstance(layer, Rescaling | Normalization):
            op, name = _between(layer, width, place)
            ops.append(op)
            names.append(name)
        places.append(len(ops) - 1)
    last = _op(Kind.LOSS, width, width, loss.code)
    last["source"], last["rate"] = len(ops) - (2 if from_logits else 1), loss.rate
    return [*ops, last], places, [*names, "loss"]


def _whole(size: int, dtype: np.dtype[Any]) -> int:
    """Return a size rounded up to whole cache lines."""
    lane = ALIGNMENT // dtype.itemsize
    return -(-size // lane) * lane


def lay_parameters(ops: Array, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Give every W, then every b, γ and β a place in theta; return the end of the W and of all."""
    end = 0
    for op in ops:
        if op["kind"] == Kind.DENSE:
            op["W"], end = end, end + _whole(int(op["n_in"] * op["n_out"]), dtype)
    decay = end
    for op in ops:
        n = _whole(int(op["n_out"]), dtype)
        if op["kind"] == Kind.BATCHNORM:
            op["W"], end = end, end + n
        if op["b"] >= 0:
            op["b"], end = end, end + n
    return decay, end


def _reads(op: Any) -> bool:
    """Whether the first row reads X block by block: images before a narrow layer, never held whole.

    Turning a block costs as much as the products of some 30 outputs.
    """
    return bool(op["kind"] == Kind.DENSE and op["n_in"] >= WIDE and op["n_out"] <= NARROW)


def lay_outputs(ops: Array) -> None:
    """Give every A, and every Z that a derivative needs, a place in the workspace."""
    end = 0
    if _reads(ops[1]):
        ops[0]["A"] = -1
    else:
        ops[0]["A"], end = 0, int(ops[0]["n_out"])
    for op in ops[1:-1]:
        op["A"], end = end, end + int(op["n_out"])
        op["Z"] = op["A"]
        if op["kind"] == Kind.DENSE and op["code"] in NEEDS_Z:
            op["Z"], end = end, end + int(op["n_out"])


def _lay_state(ops: Array) -> int:
    """Give statistics a place in the state: the input's, then each BatchNorm's; return the end."""
    end = 3 * int(ops[0]["stats"])
    for op in ops:
        if op["kind"] == Kind.BATCHNORM:
            op["state"], end = end, end + 4 * int(op["n_out"])
    return end


def lower(layers: Sequence[Layer], n_in: int, loss: Loss, dtype: np.dtype[Any]) -> Program:
    """Return the program of these layers for n_in features: parameters zero, no scaling yet."""
    rows, places, names = _rows(layers, n_in, loss)
    ops = np.array(rows)
    decay, end = lay_parameters(ops, dtype)
    lay_outputs(ops)
    theta, grad = aligned_zeros(end, dtype), aligned_zeros(end, dtype)
    state = aligned_zeros(_lay_state(ops), dtype)
    program = Program(ops, theta, grad, state, decay, tuple(places), tuple(names))
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
    for op in program.ops:
        if op["kind"] == Kind.BATCHNORM:
            scales(program.theta, op)[0][...] = 1
            for i, values in enumerate(moments(program.state, op)):
                values[...] = i % 2  # means 0, variances 1
