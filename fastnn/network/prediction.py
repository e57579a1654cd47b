"""Predictor: a described network that answers: outputs, labels, probabilities, scores of rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from fastnn._runtime.backend import fitting
from fastnn._runtime.threads import get_num_threads
from fastnn._validation import arguments
from fastnn.errors import NotBuiltError, SettingError
from fastnn.kernels.opcodes import CLASSIFYING
from fastnn.lowering.fold_batchnorm import fold, logits, split
from fastnn.lowering.lower import output_activation
from fastnn.training.metric_recorder import scores
from fastnn.training.prepare_data import prepare

from .description import Blueprint

Array = np.ndarray[Any, Any]
# For single rows of small networks, which take 3 µs: to convert a number takes NumPy 0.5 µs of it,
# to compare and to convert what comes out 0.8.
HALVES = {char: np.array(0.5, char) for char in "fd"}
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
        rows: Array = arguments.examples(X, program.inputs, f"Dense {program.entrance!r}")
        return rows

    def _ready(self, X: Any) -> Array:
        """Return X (m, n_in), checked, for a network that can take it."""
        rows: Array = arguments.finite_examples(self._rows(X), self.program.inputs)
        arguments.check_representable(rows, self.dtype)
        return rows

    def _outputs(self, X: Any, both: bool = False) -> Array:
        """Return A (m, K) of the last layer, BatchNorm folded into the weights.

        both: for one sigmoid, σ(−z) and σ(z) of its argument z, (m, 2).
        """
        program = self.program
        kernels = fitting(program)
        K = 2 if both else program.outputs
        if self._scaled and not program.folds and arguments.is_single_example(X, program.inputs):
            out, ops, key = np.empty((1, K), self.dtype), program.ops, program.key
            if both:
                ops, key = split(key)
            if kernels.predict_row(ops, key, program.theta, program.state, X, out, get_num_threads):
                return out
        X, program = self._rows(X), fold(program)
        out, check = np.empty((len(X), K), self.dtype), partial(self._ready, X)
        ops = split(program.key)[0] if both else program.ops
        kernels.predict(ops, program.theta, program.state, X, out, get_num_threads, check)
        return out

    def _probable(self) -> str:
        """Return the output's activation, or refuse one whose outputs are no probabilities."""
        activation = output_activation(self._layers)
        if activation not in ("sigmoid", "softmax"):
            raise SettingError(
                f"outputs with activation {activation!r} are no probabilities; use predict, or a "
                "sigmoid or softmax output"
            )
        return activation

    def _log_proba(self, X: Any) -> Array:
        """Return the natural logarithms of `predict_proba`, finite where probabilities round to 0.

        From the logits z, for ln σ(z) = min(z, 0) − ln(1 + e^−|z|); ln softmax(z) is z less its
        largest number, less ln(1 + Σ of e to the power of the others).
        """
        sigmoid = self._probable() == "sigmoid"
        X, program = self._rows(X), fold(self.program)
        Z, check = np.empty((len(X), program.outputs), self.dtype), partial(self._ready, X)
        fitting(program).predict(
            logits(program), program.theta, program.state, X, Z, get_num_threads, check
        )
        with np.errstate(under="ignore"):
            if sigmoid:
                Z = np.concatenate((-Z, Z), axis=1) if Z.shape[1] == 1 else Z
                return np.asarray(np.minimum(Z, 0) - np.log1p(np.exp(-np.abs(Z))))
            best = Z.argmax(axis=1)[:, None]
            Z -= np.take_along_axis(Z, best, axis=1)
            others = np.exp(Z)
            np.put_along_axis(others, best, 0, axis=1)
            return np.asarray(Z - np.log1p(others.sum(axis=1, keepdims=True)))

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

        Those are σ(−z) and σ(z) of the logit z, each within 2.5 units in the last place: neither is
        0 while e^−|z| is not, and below the dtype's normal numbers digits go gradually.

        Raises
        ------
        SettingError
            If the outputs are no probabilities.
        """
        sigmoid = self._probable() == "sigmoid"
        return self._outputs(X, both=sigmoid and self.program.outputs == 1)

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
