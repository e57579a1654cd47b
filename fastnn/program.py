"""Programs: what a described network is for one input width and dtype, as tables and vectors."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _check, activations, initializers
from .errors import SettingError, ShapeError
from .kernels.opcodes import OP, Activation, Kind, Loss
from .kernels.steps import biases, statistics, weights
from .layers import Activation as ActivationLayer
from .layers import Dense, Layer, Normalization, Rescaling

Array = np.ndarray[Any, Any]
ALIGNMENT = 64  # bytes: one cache line, and the widest vector register


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """Return a zeroed vector (size,) that begins on a cache line."""
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Parameters(MutableMapping[str, Array]):
    """The parameters by name: ``"W1"`` (n_in, n_out), ``"b1"`` (n_out,), …

    Entries are writable views of the network's memory; assignment copies into the view and
    checks the shape. Numbers count the Dense layers.
    """

    def __init__(self, views: dict[str, Array]) -> None:
        self._views = views

    def __getitem__(self, name: str) -> Array:
        if name not in self._views:
            raise KeyError(f"there is no parameter {name!r}; there are {', '.join(self._views)}")
        return self._views[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self[name][...] = self.checked(name, value)

    def checked(self, name: str, value: Any) -> Array:
        """Return the value as an array of the parameter's shape, or say what is wrong with it."""
        array, shape = _check.numeric(value, name), self[name].shape
        if array.shape != shape:
            hint = "; is it transposed?" if array.shape == shape[::-1] else ""
            raise ShapeError(f"parameter {name!r} has shape {shape}, got {array.shape}{hint}")
        _check.finite(np.atleast_1d(array), name)
        return array

    def __delitem__(self, name: str) -> None:
        raise TypeError("the parameters of a network cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        return "Parameters(" + ", ".join(f"{n} {v.shape}" for n, v in self._views.items()) + ")"


@dataclass
class Program:
    """A lowered network: the op table and the flat vectors that its rows point into.

    Attributes
    ----------
    ops : ndarray of kernels.opcodes.OP
        One row per op: INPUT first, LOSS last.
    theta, grad : ndarray (p,)
        All W first, then b; each part on a cache line of its own, the padding zero.
    state : ndarray (s,)
        Statistics of the inputs: saved, never optimised.
    decay : int
        Length of the part of theta that L2 and L1 act on: the weights.
    rows : tuple of int
        The op that holds the output A of each described layer.
    names : tuple of str
        What errors call each op.
    """

    ops: Array
    theta: Array
    grad: Array
    state: Array
    decay: int
    rows: tuple[int, ...]
    names: tuple[str, ...]

    def views(self, vector: Array) -> dict[str, Array]:
        """Return W and b (or dW and db) by name, views of theta (or grad)."""
        dense = [op for op in self.ops if op["kind"] == Kind.DENSE]
        found: dict[str, Array] = {}
        for number, op in enumerate(dense, start=1):
            found[f"W{number}"] = weights(vector, op)
            if op["b"] >= 0:
                found[f"b{number}"] = biases(vector, op)
        return found

    @property
    def parameters(self) -> Parameters:
        """The parameters by name, views of theta."""
        return Parameters(self.views(self.theta))

    def scale_inputs(self, shift: Array, factor: Array) -> None:
        """Set the statistics of the INPUT row: A = (X − shift) factor + offset."""
        views = statistics(self.state, self.ops[0])
        views[0][...], views[1][...] = shift, factor


def output_activation(layers: Sequence[Layer]) -> str:
    """Return the name of the last layer's activation."""
    last = layers[-1]
    return last.activation if isinstance(last, Dense) else last.function  # type: ignore[union-attr]


def validate(layers: Sequence[Layer]) -> None:
    """Refuse an order of layers that means nothing, naming the layer and the rule."""
    if not layers:
        raise SettingError("layers is empty; a network needs at least one Dense layer")
    for place, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise SettingError(
                f"layer {place} is {layer!r}; give Dense, Activation, Rescaling or Normalization"
            )
        if isinstance(layer, Rescaling | Normalization) and place > 0:
            raise SettingError(f"{layer} stands in place {place}; only the first layer may scale")
        name = getattr(layer, "activation", getattr(layer, "function", None))
        if name == "softmax" and place < len(layers) - 1:
            raise SettingError(f"{layer}: softmax is for outputs; put it into the last layer")
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


def _rows(
    layers: Sequence[Layer], n_in: int, loss: Loss
) -> tuple[list[Array], list[int], list[str]]:
    """Return the op table's rows, the row of each layer's output, and the rows' names."""
    ops, places, names, width = [_input(layers, n_in)], [], ["input"], n_in
    from_logits = loss != Loss.SQUARED_ERROR
    dense = 0
    for place, layer in enumerate(layers):
        if isinstance(layer, Dense):
            dense += 1
            # Cross-entropies start from the logits: the output's activation is a row of its own.
            split = from_logits and place == len(layers) - 1
            code = Activation.IDENTITY if split else activations.code(layer.activation)
            bias = 0 if layer.use_bias else -1
            ops.append(_op(Kind.DENSE, width, layer.units, code, bias))
            names.append(layer.name or f"dense{dense}")
            width = layer.units
            if split:
                ops.append(_op(Kind.ACTIVATION, width, width, activations.code(layer.activation)))
                names.append(layer.activation)
        elif isinstance(layer, ActivationLayer):
            ops.append(_op(Kind.ACTIVATION, width, width, activations.code(layer.function)))
            names.append(layer.function)
        places.append(len(ops) - 1)
    last = _op(Kind.LOSS, width, width, loss)
    last["source"] = len(ops) - (2 if from_logits else 1)
    return [*ops, last], places, [*names, "loss"]


def lower(layers: Sequence[Layer], n_in: int, loss: Loss, dtype: np.dtype[Any]) -> Program:
    """Return the program of these layers for n_in features: parameters zero, no scaling yet."""
    rows, places, names = _rows(layers, n_in, loss)
    ops = np.array(rows)
    whole = ALIGNMENT // dtype.itemsize

    def part(size: int) -> int:
        return -(-size // whole) * whole

    end = 0
    for op in ops:
        if op["kind"] == Kind.DENSE:
            op["W"], end = end, end + part(int(op["n_in"] * op["n_out"]))
    decay = end
    for op in ops:
        if op["kind"] == Kind.DENSE and op["b"] >= 0:
            op["b"], end = end, end + part(int(op["n_out"]))
    # A network that begins with DENSE reads X block by block and never holds its input whole.
    held = 0 if ops[1]["kind"] == Kind.DENSE else n_in
    ops["A"][1:-1] = held + np.concatenate([[0], np.cumsum(ops["n_out"][1:-2])])
    theta, grad = aligned_zeros(end, dtype), aligned_zeros(end, dtype)
    state = aligned_zeros(2 * int(ops[0]["stats"]), dtype)
    program = Program(ops, theta, grad, state, decay, tuple(places), tuple(names))
    if isinstance(layers[0], Rescaling):
        program.scale_inputs(np.zeros(1), np.array([layers[0].scale]))
    elif ops[0]["stats"]:
        program.scale_inputs(np.zeros(1), np.ones(1))
    return program


def initialize(
    program: Program, layers: Sequence[Layer], init: str | initializers.Initializer, seed: int
) -> None:
    """Draw every W by its layer's initialiser, from a stream of its own; set every b to 0."""
    views = program.views(program.theta)
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    program.theta[...] = 0
    for number, layer in enumerate(dense, start=1):
        W = views[f"W{number}"]
        drawer = initializers.resolve(layer.init if layer.init is not None else init)
        W[...] = drawer.draw(np.random.default_rng([seed, number]), *W.shape)
