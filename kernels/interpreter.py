"""A program run step by step, composed from one backend's ops: what `loops` and `vectorized` share.

The jitted backend compiles the same composition in `jitted/run.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from . import overflow_guard
from .custom_activations import FIRST, pair
from .defaults import alone, trusted
from .opcodes import SLOTS, WIDE, Activation, Kind, Loss, Method, Mode

Array = np.ndarray[Any, Any]

BLOCK = 1024  # rows that predict and evaluate take at a time


def weights(vector: Array, op: Any) -> Array:
    """W or dW (n_in, n_out) of a DENSE row, a view: it lies in the vector as (n_out, n_in)."""
    size = int(op["n_in"] * op["n_out"])
    return vector[op["W"] : op["W"] + size].reshape(op["n_out"], op["n_in"]).T


def biases(vector: Array, op: Any) -> Array:
    """B or db (n_out,) of a DENSE row, a view; zeros apart from the vector without a bias."""
    if op["b"] < 0:
        return np.zeros(op["n_out"], dtype=vector.dtype)
    return vector[op["b"] : op["b"] + op["n_out"]]


def statistics(state: Array, op: Any) -> tuple[Array, ...]:
    """Shift, factor, and what the shift lost to rounding, of an INPUT row: views of (stats,)."""
    n, start = op["stats"], op["state"]
    return tuple(state[start + i * n : start + (i + 1) * n] for i in range(3))


def moments(state: Array, op: Any) -> tuple[Array, ...]:
    """Running mean and variance, then the last batch's, of a BATCHNORM row, views of (n,) each."""
    n, start = op["n_out"], op["state"]
    return tuple(state[start + i * n : start + (i + 1) * n] for i in range(4))


def scales(vector: Array, op: Any) -> tuple[Array, Array]:
    """γ and β (or dγ and dβ) of a BATCHNORM row, views of (n,) each."""
    n = op["n_out"]
    return vector[op["W"] : op["W"] + n], vector[op["b"] : op["b"] + n]


def _activation(kernels, op):
    """Return the two functions of a row's activation: forward and backward."""
    if op["code"] >= FIRST:
        return pair(int(op["code"]))
    name = Activation(int(op["code"])).name.lower()
    return getattr(kernels, name), getattr(kernels, f"{name}_backward")


def _input(kernels, op, state, dtype, X):
    """A (m, n) of the INPUT row, scaled."""
    A = np.empty(X.shape, dtype)
    if op["stats"]:
        shift, factor, rest = statistics(state, op)
        if X.dtype in WIDE:  # a mean that float32 would round must not cancel
            shift = shift.astype(np.float64) + rest
        kernels.standardize(X, shift, factor, float(op["offset"]), A)
    else:
        A[...] = X
    return A


def _normalized(kernels, op, theta, state, X, epoch, A):
    """Write A (m, n) of a BATCHNORM row; outside inference by the batch, whose moments it keeps."""
    mean, variance, batch_mean, batch_variance = moments(state, op)
    if epoch != Mode.INFERENCE:
        mean, variance = batch_mean, batch_variance
        kernels.batch_moments(X, mean, variance)
    kernels.batchnorm_forward(X, mean, variance, *scales(theta, op), float(op["offset"]), A)


def _layers(kernels, ops, theta, state, X, epoch=Mode.INFERENCE, rows=None, seed=0):
    """Return [Z] and [A] (m, n_out) of each row of ops; X (m, n_in); rows (m,): whose masks."""
    Zs, As = [None], [_input(kernels, ops[0], state, theta.dtype, X)]
    for op in ops[1:]:
        before, A = As[-1], np.empty((X.shape[0], op["n_out"]), theta.dtype)
        Z = before
        if op["kind"] == Kind.DENSE:
            Z = np.empty_like(A)
            kernels.dense_forward(before, weights(theta, op), biases(theta, op), Z)
        if op["kind"] in (Kind.DENSE, Kind.ACTIVATION):
            _activation(kernels, op)[0](Z, A)
        elif op["kind"] == Kind.BATCHNORM:
            _normalized(kernels, op, theta, state, before, epoch, A)
        elif epoch < 0:
            A[...] = before
        else:
            draw = kernels.dropout if op["kind"] == Kind.DROPOUT else kernels.noise
            draw(before, rows, float(op["rate"]), seed, int(op["layer"]), epoch, A)
        Zs.append(Z)
        As.append(A)
    return Zs, As


def _losses(kernels, op, A, Y, w):
    """Return cost, dA (m, K) and Σ w of the right rows of a LOSS row."""
    loss, dA = Loss(int(op["code"])), np.empty_like(A)
    function = getattr(kernels, loss.name.lower())
    if loss in (Loss.BINARY_CROSS_ENTROPY, Loss.CATEGORICAL_CROSS_ENTROPY):
        binary = loss == Loss.BINARY_CROSS_ENTROPY
        hits = kernels.binary_hits if binary else kernels.categorical_hits
        return function(A, Y, w, dA), dA, hits(A, Y, w)
    given = () if loss == Loss.SQUARED_ERROR else (float(op["rate"]),)
    return function(A, Y, w, *given, dA), dA, 0.0


def forward(kernels, ops, theta, state, work, X):
    """Return [A (m, n_out) of each row but LOSS]; X (m, n_in)."""
    return _layers(kernels, ops[:-1], theta, state, X[:])[1]  # sparse rows become an array


@np.errstate(over="ignore")
def predict(kernels, ops, theta, state, X, out, threads=alone, check=trusted):
    """Write A (m, K) of the last layer for X (m, n_in), which check() may refuse.

    out (m, 2) takes σ(−z), which is no rounded 1 − σ(z), and σ(z) of one sigmoid in a last row.
    """
    check()
    for i in range(0, X.shape[0], BLOCK):
        Zs, As = _layers(kernels, ops[:-1], theta, state, X[i : i + BLOCK])
        part, A = out[i : i + BLOCK], As[-1]
        part[:, -A.shape[1] :] = A
        if part.shape[1] > A.shape[1]:
            kernels.sigmoid(-Zs[-1], part[:, :1])


def single(kernels, ops, key, theta, state, X, out, threads=alone):
    """As `predict`, for one row X (1, n), and return True; False: there is no such way."""
    return False


@np.errstate(over="ignore")
def evaluate(kernels, ops, theta, state, X, Y, w, threads=alone):
    """Return (cost, share of right rows), means over examples by weight.   Y (m, K); w (m,)."""
    cost, hits, total, last = 0.0, 0.0, 0.0, ops[-1]
    for i in range(0, X.shape[0], BLOCK):
        rows = slice(i, i + BLOCK)
        A = _layers(kernels, ops[: last["source"] + 1], theta, state, X[rows])[1][-1]
        part, _, right = _losses(kernels, last, A, Y[rows], w[rows])
        weight = float(w[rows].sum(dtype=np.float64))
        cost, hits, total = cost + part * weight, hits + right, total + weight
    return (cost / total, hits / total) if total > 0 else (0.0, 0.0)


def gradient(kernels, ops, theta, grad, state, work, X, Y, w, rows, settings, epoch):
    """Write the gradient of one step and return (cost, Σ w of right rows, Σ w); updates nothing.

    grad (p,) out; X (m, n_in); Y (m, K); w (m,); rows: the examples of the step; epoch: whose
    masks and noise, or Mode.FROZEN for none. The cost holds l2/(2 Σw) Σ W² + l1/Σw Σ |W|, and the
    gradient its derivative.
    """
    w = w[rows]
    total = float(w.sum(dtype=np.float64))
    if total == 0:
        return 0.0, 0.0, 0.0
    last, seed = ops[-1], int(settings["seed"])
    Z, A = _layers(kernels, ops[: last["source"] + 1], theta, state, X[rows], epoch, rows, seed)
    cost, dA, hits = _losses(kernels, last, A[-1], Y[rows], w)
    for i in range(last["source"], 0, -1):
        op = ops[i]
        if op["kind"] == Kind.DROPOUT and epoch >= 0:
            kernels.dropout(dA.copy(), rows, float(op["rate"]), seed, int(op["layer"]), epoch, dA)
        else:
            dA = _back(kernels, op, theta, grad, state, (A[i - 1], Z[i], A[i]), dA, i > 1)
    decay = settings["decay"]
    l2, l1 = settings["l2"] / total, settings["l1"] / total
    if l2 or l1:
        cost += kernels.penalty(theta[:decay], grad[:decay], l2, l1)
    return cost, hits, total


def _back(kernels, op, theta, grad, state, arrays, dA, wanted):
    """From dA (m, n_out) of a row write its part of grad; return dX (m, n_in) where wanted."""
    X, Z, A = arrays
    if op["kind"] in (Kind.DROPOUT, Kind.NOISE):
        return dA
    dX = np.empty(X.shape, X.dtype)
    if op["kind"] == Kind.BATCHNORM:
        _, _, mean, variance = moments(state, op)
        gamma = scales(theta, op)[0]
        epsilon = float(op["offset"])
        kernels.batchnorm_backward(X, mean, variance, gamma, epsilon, dA, dX, *scales(grad, op))
        return dX
    dZ = np.empty_like(dA)
    _activation(kernels, op)[1](dA, Z, A, dZ)
    if op["kind"] == Kind.ACTIVATION:
        return dZ
    dX = dX if wanted else None
    kernels.dense_backward(X, weights(theta, op), dZ, dX, weights(grad, op), biases(grad, op))
    return dX


def update(kernels, ops, theta, grad, slots, state, settings, rate, t):
    """Move theta along grad by the settings' method, the t-th time (from 1).   slots (s, p).

    Clips the gradient before, bounds the norms of weights and takes the batch into BatchNorm's
    running averages after.
    """
    if settings["clip_norm"] or settings["clip_value"]:
        kernels.clip(grad, float(settings["clip_norm"]), float(settings["clip_value"]))
    _step(kernels, theta, grad, slots, settings, rate, t)
    for op in ops:
        if op["kind"] == Kind.DENSE and op["rate"]:
            kernels.bound_norms(weights(theta, op), float(op["rate"]))
        if op["kind"] == Kind.BATCHNORM:
            mean, variance, batch_mean, batch_variance = moments(state, op)
            keep = float(op["rate"])
            mean[...] = keep * mean + (1 - keep) * batch_mean
            variance[...] = keep * variance + (1 - keep) * batch_variance


def _step(kernels, theta, grad, slots, settings, rate, t):
    """One step of the settings' method, in place."""
    method = Method(int(settings["method"]))
    beta1, beta2 = float(settings["beta1"]), float(settings["beta2"])
    epsilon = float(settings["epsilon"])
    rate, gain = (1.0, rate) if settings["velocity"] else (rate, 1 - beta1)
    if settings["uncorrected"]:
        epsilon /= (1 - beta2**t) ** 0.5
    if method == Method.ADAMW:
        decay = settings["decay"]
        kernels.decay_weights(theta[:decay], rate * float(settings["weight_decay"]))
    if method in (Method.ADAM, Method.ADAMW):
        kernels.adam(theta, grad, slots[0], slots[1], rate, beta1, beta2, epsilon, t)
    elif method == Method.MOMENTUM:
        kernels.momentum(theta, grad, slots[0], rate, beta1, gain)
    elif method == Method.NESTEROV:
        kernels.nesterov(theta, grad, slots[0], rate, beta1, gain)
    elif method == Method.RMSPROP:
        kernels.rmsprop(theta, grad, slots[0], rate, beta1, epsilon)
    else:
        kernels.gradient_descent(theta, grad, rate)


def run(
    kernels, ops, theta, grad, slots, state, work, train, validation, settings, rates, record,
    scores, counters, start, stop,
):  # fmt: skip
    """Take the steps start … stop−1 of a fit and return the next one: stop, unless it diverged.

    train is (X, Y, w, order), validation (X, Y, w); an empty validation X is not scored. order (m,)
    int64 holds the rows of X in the order of the epoch of step `start`, and from the first step of
    an epoch on, where the settings shuffle, that epoch's: it lasts over calls. rates (stop−start,).
    Out: record (stop−start, 4): each step's cost, Σ w of right rows, Σ w, and a bound of |v| after
    it; scores (epochs, 2): validation cost and share right after each epoch; counters[0] counts the
    updates ever made. A step that could leave the dtype's range is not taken and ends the run; a
    validation cost that is not finite ends it after its epoch.
    """
    X, Y, w, order = train
    m, batch = X.shape[0], int(settings["batch_size"])
    steps = -(-m // batch)
    for step in range(start, stop):
        epoch, k = divmod(step, steps)
        if settings["shuffle"] and k == 0:
            kernels.shuffle(order, int(settings["seed"]), int(settings["first_epoch"]) + epoch)
        rows = order[k * batch : (k + 1) * batch]
        number = int(settings["first_epoch"]) + epoch
        result = gradient(kernels, ops, theta, grad, state, work, X, Y, w, rows, settings, number)
        rate = float(rates[step - start])
        after = before = float(record[step - start - 1, 3] if step > start else settings["average"])
        if result[2] > 0:
            peak, t = kernels.largest(grad), int(counters[0]) + 1
            if not overflow_guard.safe(
                settings, theta.itemsize == 4, rate, result[0], peak, before
            ):
                return step
            counters[0], after = t, overflow_guard.bound(settings, rate, peak, before)
            update(kernels, ops, theta, grad, slots, state, settings, rate, t)
        record[step - start] = *result, after
        if k == steps - 1 and validation[0].shape[0]:
            scores[epoch] = evaluate(kernels, ops, theta, state, *validation)
            if not np.isfinite(scores[epoch, 0]):
                return step + 1
    return stop


def workspace(ops, m, dtype, threads=1, X=None):
    """Scratch for batches of up to m examples: these backends let NumPy allocate."""
    return np.empty(0, dtype)


def bind(kernels):
    """Return forward, predict, single, evaluate, gradient, update, run and workspace."""
    composed = (forward, predict, single, evaluate, gradient, update, run)
    return (*(partial(function, kernels) for function in composed), workspace)


def slots_for(method: int, size: int, dtype: Any) -> Array:
    """Zeroed memory of a method: (number of slots, size)."""
    return np.zeros((SLOTS[Method(method)], size), dtype)
