"""Assembly: a network from layers that bring their numbers with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastnn.errors import DataError, SettingError, ShapeError
from fastnn.kernels.opcodes import Kind
from fastnn.kernels.views import moments
from fastnn.layers import Activation, BatchNorm, Dense, Layer, Normalization, Rescaling
from fastnn.network import Network
from fastnn.network.description import state_of

Array = np.ndarray[Any, Any]


@dataclass
class Assembly:
    """Layers in their order, and for each the arrays that belong to it.

    Attributes
    ----------
    layers : list of Layer
        From input to output.
    numbers : list of mapping
        ``W, b`` of a Dense layer, ``gamma, beta, mean, variance`` of a BatchNorm, ``shift,
        factor`` of a Normalization, else nothing.
    width : int, optional
        Number of outputs of the last of them, where it is known.
    """

    layers: list[Layer] = field(default_factory=list)
    numbers: list[Mapping[str, Array]] = field(default_factory=list)
    width: int | None = None

    def dense(self, W: Any, b: Any, name: str) -> None:
        """Append X W + b, W (n_in, n_out); b (n_out,) or None; `name` is for errors."""
        W = real(W, f"the weights of {name}")
        if W.ndim != 2 or 0 in W.shape:
            raise ShapeError(f"the weights of {name} must be a matrix, got shape {W.shape}")
        self._check_width(len(W), name)
        numbers = {"W": W}
        if b is not None:
            numbers["b"] = _vector(b, W.shape[1], f"the biases of {name}")
        self.append(Dense(W.shape[1], use_bias=b is not None), numbers)
        self.width = W.shape[1]

    def norm(self, layer: BatchNorm, numbers: Mapping[str, Any], name: str) -> None:
        """Append a BatchNorm with ``mean`` and ``variance`` (n,), and ``gamma`` and ``beta``.

        Without those two the layer only normalises: they are 1 and 0.
        """
        if not {"mean", "variance"} <= set(numbers):
            raise SettingError(f"{name} lacks a running mean or variance; it needs both")
        n = np.size(numbers["mean"])
        self._check_width(n, name)
        arrays = {key: _vector(a, n, f"{key} of {name}") for key, a in numbers.items()}
        if (arrays["variance"] < 0).any():
            least = arrays["variance"].min()
            raise DataError(f"variance of {name} must not be negative, got {least}")
        ones = np.ones_like(arrays["mean"])
        self.append(layer, {"gamma": ones, "beta": 0 * ones, **arrays})
        self.width = n

    def _check_width(self, n: int, name: str) -> None:
        """Refuse a layer of n inputs behind one of another number of outputs."""
        if self.width not in (None, n):
            raise ShapeError(
                f"{name} takes {n} inputs, but the layer before it gives {self.width}; do the "
                "layers stand in the order in which they are applied?"
            )

    def append(self, layer: Layer, numbers: Mapping[str, Array] | None = None) -> None:
        """Append a layer and its arrays."""
        self.layers.append(layer)
        self.numbers.append(numbers or {})

    def activate(self, name: str) -> None:
        """Append g, inside the Dense layer before it if that has no activation yet."""
        last = self.layers[-1] if self.layers else None
        if name == "identity":
            return
        if isinstance(last, Dense) and last.activation == "identity":
            self.layers[-1] = replace(last, activation=name)
        else:
            self.append(Activation(name))

    def finish(self, name: str) -> None:
        """Append g on the outputs, which must be logits yet."""
        last = self.layers[-1] if self.layers else None
        found = getattr(last, "activation", getattr(last, "function", "identity"))
        if found in ("sigmoid", "softmax"):
            raise SettingError(
                f"output={name!r} is for a model that gives logits, but this one ends with "
                f"{found}; leave output off"
            )
        self.activate(name)

    def scale(self, shift: Array, factor: Array, offset: float) -> None:
        """Begin with (X − shift) factor + offset, a number for all features or one for each.

        The shift is float64 whatever the network's dtype is to be, which follows the factor.
        """
        if self.layers:
            raise SettingError("inputs can be scaled by the first layer only")
        if shift.size == 1 and not shift.any():
            self.append(Rescaling(float(factor.item()), offset))
            return
        if offset:
            raise SettingError(f"inputs that are centred cannot be moved by {offset:g} besides")
        numbers = {"shift": shift, "factor": factor}
        self.width = shift.size if shift.size > 1 else None
        self.append(Normalization(per_feature=shift.size > 1), numbers)

    def network(self, source: str) -> Network:
        """Return the network, all numbers copied; float64 where any of them is, else float32."""
        if not any("W" in numbers for numbers in self.numbers):
            raise SettingError(f"{source} has no layer with weights, so there is nothing to take")
        wide = any(
            array.dtype.itemsize >= 8
            for numbers in self.numbers
            for key, array in numbers.items()
            if key != "shift"
        )
        inputs = len(next(a for n in self.numbers for k, a in n.items() if k in ("W", "mean")))
        net = Network(self.layers, inputs=inputs, dtype="float64" if wide else "float32")
        if "shift" in self.numbers[0]:
            state_of(net).scale_inputs(self.numbers[0]["shift"], self.numbers[0]["factor"])
        norms = iter([op for op in net.program.ops if op["kind"] == Kind.BATCHNORM])
        count = dict.fromkeys(("Normalization", "Dense", "BatchNorm"), 0)
        for layer, numbers in zip(self.layers, self.numbers, strict=True):
            if not numbers:
                continue
            kind = type(layer).__name__
            count[kind] += 1
            for key in ("W", "b", "gamma", "beta"):
                if key in numbers:
                    net.parameters[f"{key}{count[kind]}"] = numbers[key]
            if isinstance(layer, BatchNorm):
                mean, variance = moments(net.program.state, next(norms))[:2]
                mean[...], variance[...] = numbers["mean"], numbers["variance"]
        return net


def real(value: Any, what: str) -> Array:
    """Return finite real numbers as an array, those of 16 bits and fewer as float32.

    bfloat16 and the floats of 8 bits are no NumPy types; who holds them has registered them.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(f"{what} have rows of different lengths; each needs as many") from None
    if array.dtype.name.startswith(("float8", "float16", "bfloat16")):
        array = array.astype(np.float32)
    if array.dtype.kind != "f":
        hint = {"c": "fastnn's numbers are real", "i": "dequantise or convert them first"}
        raise DataError(
            f"{what} must be floating-point numbers, got {array.dtype}; "
            f"{hint.get(array.dtype.kind, 'convert them first')}"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{what} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _vector(value: Any, n: int, what: str) -> Array:
    """Return finite real numbers (n,)."""
    array = real(value, what)
    if array.shape != (n,):
        raise ShapeError(f"{what} must have shape ({n},), got {array.shape}")
    return array


def no_counterpart(layer: str, library: str, known: str) -> SettingError:
    """Return the error for a layer that has no counterpart here."""
    return SettingError(f"{library} layer {layer} has no counterpart in fastnn; it takes {known}")
