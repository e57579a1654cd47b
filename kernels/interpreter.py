"""The interpreter: runs a program row by row with one backend's ops, for `loops` and `vectorized`.

`jitted` compiles the same composition, in `jitted/step` and `jitted/execution`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import gradient_check, int8_interpreter, overflow_guard, sharding
from .backend import ActivationOps, Backend, Int8Predictor, LossOps, accept_input, one_thread
from .custom_activations import pair
from .custom_methods import take_step
from .custom_ops import FIRST, loss_pair
from .int8_model import Int8Model
from .opcodes import WIDE, Activation, Kind, Loss, Method, Mode, Precision
from .records import Batch, Examples, FitArrays, FitLog, Shards, StepNumbers
from .views import biases, moments, scales, statistics, weights

Array = np.ndarray[Any, Any]

BLOCK = 1024  # rows that predict and evaluate take at a time

#: The kinds of rows that are run here.
KINDS = frozenset({
    Kind.INPUT, Kind.DENSE, Kind.ACTIVATION, Kind.LOSS, Kind.DROPOUT, Kind.NOISE, Kind.BATCHNORM,
})  # fmt: skip


def step_numbers(settings: Any, rate: float, t: int) -> StepNumbers:
    """Return the numbers of the t-th step (from 1) at a learning rate, from a run's settings."""
    beta1, beta2 = float(settings["beta1"]), float(settings["beta2"])
    epsilon = float(settings["epsilon"])
    rate, gain = (1.0, rate) if settings["velocity"] else (rate, 1 - beta1)
    if settings["uncorrected"]:
        epsilon /= (1 - beta2**t) ** 0.5
    decay = float(settings["weight_decay"]), int(settings["decay"])
    return StepNumbers(t, rate, gain, beta1, beta2, epsilon, *decay)


@dataclass(eq=False, kw_only=True)
class Interpreter(Backend):
    """A backend whose programs are run by its own ops, one call an op."""

    int8: int8_interpreter.Int8Ops

    def workspace(self, ops: Array, m: int, dtype: Any, threads: int = 1, X: Any = None) -> Array:
        """Return an empty vector: NumPy allocates what these backends need."""
        return np.empty(0, dtype)

    def forward(self, ops: Array, theta: Array, state: Array, work: Any, X: Any) -> list[Array]:
        """Return [A (m, n_out) of each row but LOSS]; X (m, n_in)."""
        return self._rows(ops[:-1], theta, state, X[:])[1]  # sparse rows become an array

    @np.errstate(over="ignore")
    def predict(
        self, ops: Array, theta: Array, state: Array, X: Any, out: Array,
        threads: Callable[[], int] = one_thread, check: Callable[[], Any] = accept_input,
    ) -> None:  # fmt: skip
        """Write A (m, K) of the last layer, some rows at a time, or σ(−z) and σ(z) of one."""
        check()
        for i in range(0, X.shape[0], BLOCK):
            Zs, As = self._rows(ops[:-1], theta, state, X[i : i + BLOCK])
            part, A = out[i : i + BLOCK], As[-1]
            part[:, -A.shape[1] :] = A
            if part.shape[1] > A.shape[1]:
                self.activations[Activation.SIGMOID].forward(-Zs[-1], part[:, :1])

    def predict_rows(
        self, ops: Array, key: bytes, theta: Array, state: Array, X: Array, out: Array,
        threads: Callable[[], int] = one_thread,
    ) -> bool:  # fmt: skip
        """Return False: all rows take one way, that of `predict`."""
        return False

    def int8_predictor(self, model: Int8Model) -> Int8Predictor:
        """Return the function that predicts by an int8 model."""
        return int8_interpreter.Int8Interpreter(self, self.int8, self._input, model).predict

    @np.errstate(over="ignore")
    def evaluate(
        self, ops: Array, theta: Array, state: Array, X: Any, Y: Array, w: Array,
        threads: Callable[[], int] = one_thread,
    ) -> tuple[float, float]:  # fmt: skip
        """Return (cost, share of right rows), means over examples by weight.   Y (m, K); w (m,)."""
        cost, hits, total, last = 0.0, 0.0, 0.0, ops[-1]
        for i in range(0, X.shape[0], BLOCK):
            rows = slice(i, i + BLOCK)
            A = self._rows(ops[: last["source"] + 1], theta, state, X[rows])[1][-1]
            part, _, right = self._loss(last, A, Y[rows], w[rows])
            weight = float(w[rows].sum(dtype=np.float64))
            cost, hits, total = cost + part * weight, hits + right, total + weight
        return (cost / total, hits / total) if total > 0 else (0.0, 0.0)

    def gradient(
        self, ops: Array, theta: Array, grad: Array, state: Array, work: Any, batch: Batch,
        settings: Any, epoch: int,
    ) -> tuple[float, float, float]:  # fmt: skip
        """Write the gradient of one step and return (cost, Σ w of right rows, Σ w)."""
        rows = batch.row_indices
        w = batch.w[rows]
        total = float(w.sum(dtype=np.float64))
        if total == 0:
            return 0.0, 0.0, 0.0
        last, seed = ops[-1], int(settings["seed"])
        inside = ops[: last["source"] + 1]
        Z, A = self._rows(inside, theta, state, batch.X[rows], epoch, batch.numbers, seed)
        cost, dA, hits = self._loss(last, A[-1], batch.Y[rows], w)
        for i in range(last["source"], 0, -1):
            op = ops[i]
            if op["kind"] == Kind.DROPOUT and epoch >= 0:
                layer = int(op["layer"])
                self.dropout(dA.copy(), batch.numbers, float(op["rate"]), seed, layer, epoch, dA)
            else:
                dA = self._back(op, theta, grad, state, (A[i - 1], Z[i], A[i]), dA, i > 1)
        decay = settings["decay"]
        l2, l1 = settings["l2"] / total, settings["l1"] / total
        if l2 or l1:
            cost += self.penalty(theta[:decay], grad[:decay], l2, l1)
        return cost, hits, total

    def update(self, ops: Array, arrays: FitArrays, settings: Any, rate: float, t: int) -> bool:
        """Move theta along grad by the settings' method, the t-th time (from 1)."""
        theta, grad, slots, state = arrays[:4]
        if settings["clip_norm"] or settings["clip_value"]:
            self.clip(grad, float(settings["clip_norm"]), float(settings["clip_value"]))
        method = int(settings["method"])
        if method < FIRST:
            self.methods[Method(method)](theta, grad, slots, step_numbers(settings, rate, t))
        elif not take_step(theta, grad, slots, settings, rate, t):
            return False
        for op in ops:
            if op["kind"] == Kind.DENSE and op["rate"]:
                self.bound_norms(weights(theta, op), float(op["rate"]))
            if op["kind"] == Kind.BATCHNORM:
                mean, variance, batch_mean, batch_variance = moments(state, op)
                keep = float(op["rate"])
                mean[...] = keep * mean + (1 - keep) * batch_mean
                variance[...] = keep * variance + (1 - keep) * batch_variance
        return True

    def run(
        self, ops: Array, arrays: FitArrays, work: Any, train: Batch, validation: Examples,
        settings: Any, rates: Array, log: FitLog, start: int, stop: int,
    ) -> int:  # fmt: skip
        """Take the steps start … stop−1 of a fit; return the next one: stop, unless it diverged."""
        order, batch = train.row_indices, int(settings["batch_size"])
        steps = -(-len(order) // batch)
        for step in range(start, stop):
            epoch, k = divmod(step, steps)
            number = int(settings["first_epoch"]) + epoch
            if settings["shuffle"] and k == 0:
                self.shuffle(order, int(settings["seed"]), number)
            own = slice(k * batch, (k + 1) * batch)
            rows = train._replace(row_indices=order[own], numbers=train.numbers[own])
            found = self.gradient(
                ops, arrays.theta, arrays.grad, arrays.state, work, rows, settings, number
            )
            if not self.take_step(ops, arrays, found, settings, rates, log, step - start):
                return step
            if k == steps - 1 and validation.X.shape[0]:
                log.epochs[epoch] = self.evaluate(ops, arrays.theta, arrays.state, *validation)
                if arrays.best is not None:
                    arrays.best.offer(log.epochs[epoch], arrays.theta, arrays.state)
                if not np.isfinite(log.epochs[epoch, 0]):
                    return step + 1
        return stop

    def run_sharded(
        self, ops: Array, arrays: FitArrays, work: Any, train: Batch, settings: Any, rates: Array,
        log: FitLog, start: int, stop: int, shards: Shards,
    ) -> int:  # fmt: skip
        """Take the steps start … stop−1 of a fit whose batches are cut into shards."""
        return sharding.interpret_sharded(
            self, ops, arrays, train, settings, rates, log, start, stop, shards
        )

    def gradient_check(
        self, ops: Array, theta: Array, state: Array, examples: Examples, settings: Any,
        epsilon: float, indices: Array, out: Array,
    ) -> None:  # fmt: skip
        """Write out = (J(θ + εe) − J(θ − εe)) / 2ε for θ[indices].   out, indices (k,)."""
        gradient_check.by_each(self, ops, theta, state, examples, settings, epsilon, indices, out)

    def take_step(
        self, ops: Array, arrays: FitArrays, found: tuple[float, float, float], settings: Any,
        rates: Array, log: FitLog, i: int,
    ) -> bool:  # fmt: skip
        """Take the i-th step of a run and log it; False, and nothing moved, if it is not safe.

        found: what `gradient` has returned, which has written arrays.grad.
        """
        theta, grad = arrays.theta, arrays.grad
        rate = float(rates[i])
        after = before = float(log.steps[i - 1, 3] if i else settings["average"])
        if found[2] > 0:
            peak, t = self.largest(grad), int(log.counters[0]) + 1
            single = theta.itemsize == 4
            if not overflow_guard.safe(settings, single, rate, found[0], peak, before):
                return False
            log.counters[0], after = t, overflow_guard.bound(settings, rate, peak, before)
            if not self.update(ops, arrays, settings, rate, t):
                log.counters[0] = t - 1
                return False
        log.steps[i] = *found, after
        return True

    def _activation(self, op: Any) -> ActivationOps:
        """Return the two functions of a row's activation, built in or registered by users."""
        if op["code"] >= FIRST:
            return ActivationOps(*pair(int(op["code"])))
        return self.activations[Activation(int(op["code"]))]

    def _input(self, op: Any, state: Array, dtype: Any, X: Array) -> Array:
        """Return A (m, n) of the INPUT row, scaled.   X (m, n)."""
        A = np.empty(X.shape, dtype)
        if op["stats"]:
            shift, factor, rest = statistics(state, op)
            if X.dtype in WIDE:  # a mean that float32 would round must not cancel
                shift = shift.astype(np.float64) + rest
            self.standardize(X, shift, factor, float(op["offset"]), A)
        else:
            A[...] = X
        return A

    def _normalize(
        self, op: Any, theta: Array, state: Array, X: Array, epoch: int, A: Array
    ) -> None:
        """Write A (m, n) of a BATCHNORM row; outside inference by the batch's moments, kept."""
        mean, variance, batch_mean, batch_variance = moments(state, op)
        if epoch != Mode.INFERENCE:
            mean, variance = batch_mean, batch_variance
            self.batch_moments(X, mean, variance)
        self.batchnorm_forward(X, mean, variance, *scales(theta, op), float(op["offset"]), A)

    def _rows(
        self, ops: Array, theta: Array, state: Array, X: Array, epoch: int = Mode.INFERENCE,
        numbers: Any = None, seed: int = 0,
    ) -> tuple[list[Any], list[Array]]:  # fmt: skip
        """Return [Z] and [A] (m, n_out) of each row of ops.   X (m, n_in).

        numbers (m,): of the examples in the whole data, for their masks and noise.
        """
        Zs: list[Any] = [None]
        As = [self._input(ops[0], state, theta.dtype, X)]
        for op in ops[1:]:
            before, A = As[-1], np.empty((X.shape[0], op["n_out"]), theta.dtype)
            Z = before
            if op["kind"] == Kind.DENSE:
                Z = np.empty_like(A)
                mixed = op["precision"] == Precision.MIXED
                forward = self.mixed_forward if mixed else self.dense_forward
                forward(before, weights(theta, op), biases(theta, op), Z)
            if op["kind"] in (Kind.DENSE, Kind.ACTIVATION):
                self._activation(op).forward(Z, A)
            elif op["kind"] == Kind.BATCHNORM:
                self._normalize(op, theta, state, before, epoch, A)
            elif epoch < 0:
                A[...] = before
            else:
                draw = self.dropout if op["kind"] == Kind.DROPOUT else self.noise
                draw(before, numbers, float(op["rate"]), seed, int(op["layer"]), epoch, A)
            Zs.append(Z)
            As.append(A)
        return Zs, As

    def _loss(self, op: Any, A: Array, Y: Array, w: Array) -> tuple[float, Array, float]:
        """Return cost, dA (m, K) and Σ w of the right rows of a LOSS row.   A, Y (m, K); w (m,)."""
        code, dA = int(op["code"]), np.empty_like(A)
        kernels = LossOps(*loss_pair(code)) if code >= FIRST else self.losses[Loss(code)]
        return kernels.cost(A, Y, w, float(op["rate"]), dA), dA, kernels.hits(A, Y, w)

    def _back(
        self, op: Any, theta: Array, grad: Array, state: Array, arrays: tuple[Any, ...], dA: Array,
        wanted: bool,
    ) -> Any:  # fmt: skip
        """Write a row's part of grad from its dA (m, n_out); return dX (m, n_in) where wanted."""
        X, Z, A = arrays
        if op["kind"] in (Kind.DROPOUT, Kind.NOISE):
            return dA
        dX: Any = np.empty(X.shape, X.dtype)
        if op["kind"] == Kind.BATCHNORM:
            _, _, mean, variance = moments(state, op)
            gamma, epsilon = scales(theta, op)[0], float(op["offset"])
            self.batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, *scales(grad, op))
            return dX
        dZ = np.empty_like(dA)
        self._activation(op).backward(dA, Z, A, dZ)
        if op["kind"] == Kind.ACTIVATION:
            return dZ
        below = dX if wanted else None
        mixed = op["precision"] == Precision.MIXED
        backward = self.mixed_backward if mixed else self.dense_backward
        backward(X, weights(theta, op), dZ, below, weights(grad, op), biases(grad, op))
        return below
