"""The interpreter of int8 models: runs them by one backend's ops, for `loops` and `vectorized`.

`jitted` compiles the same composition, in `jitted/step/int8_prediction.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .backend import Backend, accept_input, one_thread
from .int8_model import FUSED, Int8Layer, Int8Model

Array = np.ndarray[Any, Any]

INT8_BLOCK = 1024  # rows that a prediction takes at a time


class Int8Ops(NamedTuple):
    """The ops of int8 prediction; `loops/int8.py` says what each does."""

    quantize: Callable[[Array, Any, int, Array], None]
    product: Callable[[Array, Array, Array, Array], None]
    requantize: Callable[[Array, Array, int, Array], None]


class Int8Interpreter:
    """Predicts by an int8 model with a backend's activations and its int8 ops."""

    def __init__(
        self, backend: Backend, ops: Int8Ops, scale_input: Callable[..., Array], model: Int8Model
    ) -> None:
        self.backend, self.ops, self.scale_input, self.model = backend, ops, scale_input, model

    @np.errstate(over="ignore")
    def predict(
        self, X: Any, out: Array, threads: Callable[[], int] = one_thread,
        check: Callable[[], Any] = accept_input,
    ) -> None:  # fmt: skip
        """Write A (m, K) of the last layer, some rows at a time, or σ(−z) and σ(z) of one."""
        check()
        for i in range(0, X.shape[0], INT8_BLOCK):
            self._rows(X[i : i + INT8_BLOCK], out[i : i + INT8_BLOCK])

    def _rows(self, X: Array, out: Array) -> None:
        """Write the outputs of rows X (m, n_in) into out (m, K) or (m, 2)."""
        op, state, (scale, zero_point), (*hidden, last) = self.model
        A = self.scale_input(op[0], state, state.dtype, X)
        Q = np.empty(A.shape, np.uint8)
        self.ops.quantize(A, scale, zero_point, Q)
        for layer in hidden:
            Q = self._bytes(layer, Q)
        Z = self._numbers(last, Q)
        Z = np.concatenate((-Z, Z), axis=1) if out.shape[1] > Z.shape[1] else Z
        self.backend.activations[last.code].forward(Z, out)

    def _sums(self, layer: Int8Layer, Q: Array) -> Array:
        """Return S (m, n_out) int32 of a layer for bytes Q (m, n_in)."""
        S = np.empty((len(Q), len(layer.W)), np.int32)
        self.ops.product(Q, layer.W, layer.bias, S)
        return S

    def _numbers(self, layer: Int8Layer, Q: Array) -> Array:
        """Return Z = factor S (m, n_out) float32 of a layer for bytes Q (m, n_in)."""
        return self._sums(layer, Q).astype(np.float32) * layer.factor

    def _bytes(self, layer: Int8Layer, Q: Array) -> Array:
        """Return the bytes of A (m, n_out) of a layer for those of its inputs, Q (m, n_in)."""
        assert layer.output is not None  # only the last layer's numbers are no bytes
        found = np.empty((len(Q), len(layer.W)), np.uint8)
        if layer.code in FUSED:
            zero_point = layer.output.zero_point
            self.ops.requantize(self._sums(layer, Q), layer.factor, zero_point, found)
            return found
        Z = self._numbers(layer, Q)
        A = np.empty_like(Z)
        self.backend.activations[layer.code].forward(Z, A)
        self.ops.quantize(A, *layer.output, found)
        return found
