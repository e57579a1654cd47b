"""Predictions: outputs, labels and probabilities of rows, from the state of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from fastnn._runtime.threads import get_num_threads
from fastnn._validation import arguments
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.opcodes import Mode
from fastnn.kernels.records import Batch, Examples
from fastnn.lowering.fold_batchnorm import fold, logits_ops, split_output_activation
from fastnn.lowering.lower import output_activation
from fastnn.lowering.program import Program, backend_for
from fastnn.training.fit_config import WINDOW
from fastnn.training.prepare_data import targets_of, weights_of
from fastnn.training.state import NetworkState

Array = np.ndarray[Any, Any]
#: The default of `Network.predict`, which knows it from a user's own 0.5 by its identity.
DEFAULT_THRESHOLD = 0.5
#: ½ by the dtype's character. A row of a small network takes 3 µs; to convert ½ takes 0.5 of them.
HALVES = {char: np.array(0.5, char) for char in "fd"}
#: The labels (1,) of one example; to compare and convert an array takes 0.8 µs.
LABELS = np.zeros(1, np.int64), np.ones(1, np.int64)


def examples_of(state: NetworkState, X: Any) -> Array:
    """Return X (m, n_in) of a shape that the network takes; its numbers are not looked at."""
    program = state.program
    state.check_scaled()
    rows: Array = arguments.examples(X, program.inputs, f"Dense {program.first_dense_name!r}")
    return rows


def finite_examples(state: NetworkState, X: Any) -> Array:
    """Return X (m, n_in) of a shape that the network takes, its numbers finite in the dtype."""
    rows: Array = arguments.finite_examples(examples_of(state, X), state.program.inputs)
    arguments.check_representable(rows, state.dtype)
    return rows


def outputs(
    state: NetworkState, X: Any, both: bool = False, window: Any = WINDOW, verb: str = "predict"
) -> Array:
    """Return A (m, K) of the last layer, BatchNorm folded into the weights.

    both: for one sigmoid, σ(−z) and σ(z) of its argument z, (m, 2).
    window, verb: of `rows_of`.
    """
    program, dtype = state.program, state.dtype
    if window is not WINDOW:
        check_window(window)
    kernels = backend_for(program)
    K = 2 if both else program.outputs
    if (
        state.scaled
        and not state.learns_target_scaling
        and not program.foldable_batchnorms
        and arguments.are_plain_rows(X, program.inputs)
    ):
        out, ops, key = np.empty((len(X), K), dtype), program.ops, program.key
        if both:
            ops, key = split_output_activation(key)
        if kernels.predict_rows(ops, key, program.theta, program.state, X, out, get_num_threads):
            return state.in_unit_of_targets(out)
    program = fold(program)
    ops = split_output_activation(program.key)[0] if both else program.ops
    A = _predicted(state, program, ops, X, K, window, verb)
    return state.in_unit_of_targets(A)


def _predicted(
    state: NetworkState, program: Program, ops: Array, X: Any, K: int, window: Any = WINDOW,
    verb: str = "predict",
) -> Array:  # fmt: skip
    """Return the outputs (m, K) of an op table for rows X (m, n_in), in memory or read in windows.

    program: the state's, with BatchNorm folded into the weights; window, verb: of `rows_of`.
    """
    kernels = backend_for(program)

    def predict(rows: Any, out: Array) -> None:
        check = partial(finite_examples, state, rows)
        kernels.predict(ops, program.theta, program.state, rows, out, get_num_threads, check)

    if isinstance(X, np.ndarray | SparseRows):  # entering a context would take 2 µs
        rows = examples_of(state, X)
        out = np.empty((rows.shape[0], K), state.dtype)
        predict(rows, out)
        return out
    from fastnn.training.windows.opening import outputs_of  # what is no array may need windows

    with rows_of(state, X, window, verb) as rows:
        return outputs_of(rows, predict, K, state.dtype)


def check_window(window: Any) -> int:
    """Return the bytes of a window, as `Network.fit` takes it."""
    from fastnn.training.windows.size import window_bytes  # the default needs no look

    return window_bytes(window)


@contextmanager
def rows_of(state: NetworkState, X: Any, window: Any, verb: str) -> Iterator[Any]:
    """Give X (m, n_in) as rows of a shape that the network takes, in memory or to be read.

    window: bytes of rows that are held at a time, or a text; verb: the method that takes X.
    """
    if isinstance(X, np.ndarray | SparseRows):
        yield examples_of(state, X)
        return
    from fastnn.training.windows.opening import opened_rows  # what is no array may need windows

    state.check_scaled()
    program = state.program
    name = f"Dense {program.first_dense_name!r}"
    with opened_rows(X, program.inputs, state.dtype, name, window, verb) as rows:
        yield rows


def labels_above(state: NetworkState, X: Any, threshold: Any, window: Any = WINDOW) -> Array:
    """Return 1 for sigmoid outputs strictly above a threshold, else 0: (m,), or (m, K) for K.

    threshold: one number in [0, 1], or K; it is compared in the network's dtype.
    """
    limits, A = state.check_thresholds(threshold), outputs(state, X, False, window)
    labels: Array = np.greater(A, limits.astype(A.dtype)).astype(np.int64)
    return labels[:, 0] if state.outputs == 1 else labels


def labels_or_values(state: NetworkState, X: Any, window: Any = WINDOW) -> Array:
    """Return what `Network.predict` gives to rows X (m, n): (m,) or (m, K)."""
    A, activation = outputs(state, X, False, window), output_activation(state.layers)
    if activation == "softmax":
        best: Array = A.argmax(axis=1)  # np.argmax adds 0.7 µs, a fifth of a small net's row
        return best
    if activation == "sigmoid":
        if A.size == 1:
            return LABELS[A.item() > 0.5].copy()
        A = np.greater(A, HALVES[A.dtype.char]).astype(np.int64)
    return A[:, 0] if A.shape[1] == 1 else A


def probabilities(state: NetworkState, X: Any, window: Any = WINDOW) -> Array:
    """Return probabilities (m, K) of rows X (m, n); for one sigmoid both classes', (m, 2)."""
    both = state.check_probabilities() == "sigmoid" and state.program.outputs == 1
    return outputs(state, X, both, window, "predict_proba")


def logits(state: NetworkState, X: Any) -> Array:
    """Return Z (m, K), what the output's sigmoid or softmax is taken of."""
    program = fold(state.program)
    return _predicted(state, program, logits_ops(program), X, program.outputs)


def log_probabilities(state: NetworkState, X: Any) -> Array:
    """Return natural logarithms of `probabilities`, finite where a probability rounds to 0.

    From the logits z, for ln σ(z) = min(z, 0) − ln(1 + e^−|z|); ln softmax(z) is z less its
    largest number, less ln(1 + Σ of e to the power of the others).
    """
    sigmoid, Z = state.check_probabilities() == "sigmoid", logits(state, X)
    with np.errstate(under="ignore"):
        if sigmoid:
            Z = np.concatenate((-Z, Z), axis=1) if Z.shape[1] == 1 else Z
            return np.asarray(np.minimum(Z, 0) - np.log1p(np.exp(-np.abs(Z))))
        best = Z.argmax(axis=1)[:, None]
        Z -= np.take_along_axis(Z, best, axis=1)
        others = np.exp(Z)
        np.put_along_axis(others, best, 0, axis=1)
        return np.asarray(Z - np.log1p(others.sum(axis=1, keepdims=True)))


def cost_and_accuracy(state: NetworkState, examples: Any) -> tuple[float, float]:
    """Return the mean cost and the share of right labels of examples, in memory or read."""
    program = state.program
    kernels = backend_for(program, loss=True)
    if not isinstance(examples, Examples):
        from fastnn.training.windows.scan import score_by, scores_of  # what is read needs them

        return scores_of(examples, score_by(kernels, program, get_num_threads))
    found: tuple[float, float] = kernels.evaluate(
        program.ops, program.theta, program.state, *examples, get_num_threads
    )
    return found


def layer_outputs(state: NetworkState, X: Any) -> list[Array]:
    """Return the output A (m, units) of every layer for rows X (m, n)."""
    X, program = finite_examples(state, X), state.program
    kernels = backend_for(program)
    work = kernels.workspace(program.ops, len(X), state.dtype)
    found = kernels.forward(program.ops, program.theta, program.state, work, X)
    *hidden, last = (found[row] for row in program.output_rows)
    return [*hidden, state.in_unit_of_targets(last)]


def cost_and_gradients(
    state: NetworkState, X: Any, y: Any, l2: float, l1: float, sample_weight: Any
) -> tuple[float, dict[str, Array]]:
    """Return the cost of rows X (m, n) and its gradient by every parameter, by name."""
    X, program = finite_examples(state, X), state.program
    Y = targets_of(state, y, len(X))
    w = weights_of(sample_weight, None, Y, state.loss, state.dtype)
    settings = program.settings(
        l2=arguments.real(l2, "l2", least=0), l1=arguments.real(l1, "l1", least=0)
    )
    grad = np.zeros_like(program.grad)
    kernels = backend_for(program, loss=True)
    work = kernels.workspace(program.ops, len(X), state.dtype)
    cost, _, _ = kernels.gradient(
        program.ops, program.theta, grad, program.state.copy(), work,
        Batch.of(Examples(X, Y, w), np.arange(len(X))), settings, Mode.FROZEN,
    )  # fmt: skip
    return cost, program.views(grad)
