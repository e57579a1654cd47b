"""Predictor: a described network that answers: outputs, labels, probabilities, scores of rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from . import _check
from ._backend import fitting
from ._threads import get_num_threads
from .blueprint import Blueprint
from .errors import NotBuiltError, SettingError
from .folding import fold
from .inputs import prepare
from .lowering import output_activation
from .scoring import scores
from .training import CLASSIFYING

Array = np.ndarray[Any, Any]
# For single rows of small networks, which take 3 µs: to convert a number takes NumPy 0.5 µs of it,
# to compare and to convert what comes out 0.8.
HALVES, ONES = ({char: np.array(number, char) for char in "fd"} for number in (0.5, 1))
LABELS = np.zeros(1, np.int64), np.ones(1, np.int64)  # of one example


class Predictor(Blueprint):
    """What a network can be asked once it is built."""

    def _rows(self, X: Any) -> Array:
        """Return X (m, n_in) for a network that can take it, its numbers not looked at."""
        program = self.program
        if not self._scaled:
            raise NotBuiltError(
                "the Normalization layer learns its mean and deviation at the first fit; call fit "
                "before this"
            )
        rows: Array = _check.rows(X, program.inputs, f"Dense {program.entrance!r}")
        return rows

    def _ready(self, X: Any) -> Array:
        """Return X (m, n_in), checked, for a network that can take it."""
        rows: Array = _check.features(self._rows(X), self.program.inputs)
        _check.representable(rows, self.dtype)
        return rows

    def _outputs(self, X: Any) -> Array:
        """Return A (m, K) of the last layer, BatchNorm folded into the weights."""
        program = self.program
        kernels = fitting(program)
        if self._scaled and not program.folds and _check.is_row(X, program.inputs):
            out, ops = np.empty((1, program.outputs), self.dtype), program.ops
            vectors = program.theta, program.state
            if kernels.single(ops, program.key, *vectors, X, out, get_num_threads):
                return out
        X, program = self._rows(X), fold(program)
        out = np.empty((len(X), program.outputs), self.dtype)
        check = partial(self._ready, X)
        kernels.predict(program.ops, program.theta, program.state, X, out, get_num_threads, check)
        return out

    def predict(self, X: Any) -> Array:
        """Return the labels or values that the network gives to rows X (m, n).

        Returns
        -------
        ndarray
            (m,) int64 labels for one sigmoid (1 if strictly above ½) and for softmax; (m, K) of
            0/1 for K sigmoids; else values in the network's dtype, (m,) when there is one output.
            Rows do not depend on their neighbours; one asked for alone, or fewer than 48 rows of
            bytes, are summed in another order and may differ in the last bits.
        """
        A, activation = self._outputs(X), output_activation(self._layers)
        if activation == "softmax":
            best: Array = A.argmax(axis=1)  # np.argmax adds 0.7 µs, a fifth of a small net's row
            return best
        if activation == "sigmoid":
            if A.size == 1:
                return LABELS[A.item() > 0.5].copy()
            A = np.greater(A, HALVES[A.dtype.char]).astype(np.int64)
        return A[:, 0] if A.shape[1] == 1 else A

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (m, K) of rows X (m, n); for one sigmoid both classes', (m, 2).

        Raises
        ------
        SettingError
            If the outputs are no probabilities.
        """
        activation = output_activation(self._layers)
        if activation not in ("sigmoid", "softmax"):
            raise SettingError(
                f"outputs with activation {activation!r} are no probabilities; use predict, or a "
                "sigmoid or softmax output"
            )
        A = self._outputs(X)
        if activation == "softmax" or A.shape[1] > 1:
            return A
        return np.concatenate((ONES[A.dtype.char] - A, A), axis=1)

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """Return ``{"cost": …}``, for classes ``"accuracy"``, and the metrics of the last fit.

        Costs are without L2 and L1.
        """
        X, program = self._ready(X), self.program
        Y = prepare(y, len(X), self.outputs, self._loss, self.dtype)
        w = np.ones(len(X), self.dtype)
        cost, hits = fitting(program).evaluate(
            program.ops, program.theta, program.state, X, Y, w, get_num_threads
        )
        found = {"cost": cost} | ({"accuracy": hits} if self._loss.code in CLASSIFYING else {})
        return found | scores(self, X, Y, self._metrics)

    def activations(self, X: Any) -> list[Array]:
        """Return the output A (m, units) of every layer for rows X (m, n)."""
        X, program = self._ready(X), self.program
        kernels = fitting(program)
        work = kernels.workspace(program.ops, len(X), self.dtype)
        outputs = kernels.forward(program.ops, program.theta, program.state, work, X)
        return [outputs[row] for row in program.rows]
