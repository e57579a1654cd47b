"""The compiled backend: the same ops and the same run, through Numba.

This file is its door: it lays arrays out as the kernels want them (one signature per dtype) and
lays the results back. A copy is made only where the layout differs; inside a run nothing is copied.
"""

from __future__ import annotations

import numpy as np
from numba import config as _config

from ..opcodes import Activation, Kind
from . import dense, losses, optimizers, random
from . import run as compiled
from ._link import table as _table
from .activations import activate, derive
from .activations import standardize as _standardize
from .layers import EXAMPLES, FEATURES, Places, padded
from .memory import locate
from .team import assemble

#: Whether the kernels can be compiled; with Numba's compiler switched off they would crawl.
available = not _config.DISABLE_JIT

#: Multiplications in one step below which a team would cost more than it saves.
WORTH_A_TEAM = 2_000_000

_threads = 1


def set_threads(n):
    """Let runs that are large enough use n threads."""
    global _threads  # noqa: PLW0603 - a setting of the process, like every library's thread count
    _threads = n


def _features(X):
    """X (m, n) as a writable C-contiguous (n, m): a view where its layout allows."""
    Xt = np.ascontiguousarray(X.T)
    return Xt if Xt.flags.writeable else Xt.copy()


def _flat(x):
    """X (n,) contiguous and writable."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


class _Out:
    """Arrays to be written, as kernels want them: `with _Out(Z) as (Zt,)` copies back at the end."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __enter__(self):
        self.laid = [
            None if a is None else _features(a) if a.ndim == 2 else _flat(a) for a in self.arrays
        ]
        return self.laid

    def __exit__(self, kind, error, trace):
        for array, laid in zip(self.arrays, self.laid, strict=True):
            if array is not None and not np.may_share_memory(array, laid):
                array[...] = laid.T


def dot(x, y):
    """Return Σ xᵢ yᵢ.   x, y (n,)."""
    return float(dense.dot(_flat(x), _flat(y)))


def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   A (m, n) out; X (m, n); shift, factor (n,) or (1,)."""
    with _Out(A) as (At,):
        _standardize(_features(X), _flat(shift), _flat(factor), float(offset), At)


def dense_forward(X, W, b, Z):
    """Z = X W + b.   Z (m, n_out) out; X (m, n_in); W (n_in, n_out); b (n_out,)."""
    with _Out(Z) as (Zt,):
        Zt[...] = b[:, None]
        dense.forward.kernel(_features(W), 0, _features(X), 0, Zt, 0, len(X), 0, len(b))


def dense_backward(X, W, dZ, dX, dW, db):
    """dX = dZ Wᵀ, dW = Xᵀ dZ, db = Σ dZ.   Out, of the shapes of X, W, b; dX None: not wanted."""
    m, n_in, n_out = len(X), *W.shape
    Dt = _features(dZ)
    with _Out(dX, dW, db) as (dXt, dWt, db):
        if dXt is not None:
            dense.backward_input.kernel(_features(W), Dt, dXt, 0, m, 0, n_in)
        dWt[...] = 0
        dense.backward_weights.kernel(Dt, 0, _features(X), 0, m, dWt, 0, 0, n_out)
        dense.backward_biases.kernel(Dt, m, db, 0, n_out)


def _forward(activation):
    """Return g: A = g(Z).   A (m, n) out; Z (m, n)."""

    def forward(Z, A):
        with _Out(A) as (At,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            activate.kernel(int(activation), _features(Z), At, 0, m, 0, n, scratch)

    forward.__doc__ = f"A = {activation.name.lower()}(Z).   A (m, n) out; Z (m, n)."
    return forward


def _backward(activation):
    """Return the derivative: dZ = dA g'(Z).   dZ (m, n) out; dA, Z, A (m, n)."""

    def backward(dA, Z, A, dZ):
        with _Out(dZ) as (dZt,):
            scratch = np.empty((2, len(A)), A.dtype)
            m, n = A.shape
            code = int(activation)
            derive.kernel(code, _features(dA), _features(A), dZt, m, 0, n, scratch)

    backward.__doc__ = f"dZ = dA {activation.name.lower()}'(Z).   All (m, n); dZ out."
    return backward


identity, identity_backward = _forward(Activation.IDENTITY), _backward(Activation.IDENTITY)
sigmoid, sigmoid_backward = _forward(Activation.SIGMOID), _backward(Activation.SIGMOID)
tanh, tanh_backward = _forward(Activation.TANH), _backward(Activation.TANH)
relu, relu_backward = _forward(Activation.RELU), _backward(Activation.RELU)
leaky_relu, leaky_relu_backward = _forward(Activation.LEAKY_RELU), _backward(Activation.LEAKY_RELU)
softmax, softmax_backward = _forward(Activation.SOFTMAX), _backward(Activation.SOFTMAX)


def _shares(w):
    """w / Σ w (m,), zeros when no example weighs anything."""
    total = w.sum(dtype=np.float64)
    return (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)


def squared_error(A, Y, w, dA):
    """Return Σ w ½(A − Y)² / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
    with _Out(dA) as (dAt,):
        return losses.squared_error(_features(A), _features(Y), _shares(w), len(A), dAt)


def binary_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w (y ln σ(z) + (1−y) ln(1−σ(z))) / Σ w and write its gradient. As in `loops`."""
    with _Out(dZ) as (dZt,):
        return losses.binary_cross_entropy(_features(Z), _features(Y), _shares(w), len(Z), dZt)


def categorical_cross_entropy(Z, Y, w, dZ):
    """Return −Σ w Σₖ yₖ ln softmax(z)ₖ / Σ w and write its gradient. As in `loops`."""
    with _Out(dZ) as (dZt,):
        scratch = np.empty((3, len(Z)), Z.dtype)
        shares = _shares(w)
        return losses.categorical_cross_entropy(
            _features(Z), _features(Y), shares, len(Z), dZt, scratch
        )


def binary_hits(Z, Y, w):
    """Return Σ w over the rows whose every z > 0 agrees with y > ½.   Z, Y (m, K); w (m,)."""
    return losses.binary_hits(_features(Z), _features(Y), _flat(w), len(Z))


def categorical_hits(Z, Y, w):
    """Return Σ w over the rows whose largest z stands where the largest y does (first of ties)."""
    return losses.categorical_hits(_features(Z), _features(Y), _flat(w), len(Z))


def penalty(theta, grad, l2, l1):
    """Return l2/2 Σ θ² + l1 Σ |θ| and add l2 θ + l1 sign θ to the gradient.   theta, grad (p,)."""
    with _Out(grad) as (g,):
        return optimizers.penalty(_flat(theta), g, float(l2), float(l1))


def gradient_descent(theta, grad, rate):
    """θ ← θ − rate · grad, in place.   theta, grad (p,)."""
    with _Out(theta) as (p,):
        optimizers.gradient_descent(p, _flat(grad), float(rate))


def adam(theta, grad, v, s, rate, beta1, beta2, epsilon, t):
    """One step of Adam, the t-th (from 1), in place.   theta, grad, v, s (p,). As in `loops`."""
    with _Out(theta, v, s) as (p, v, s):
        numbers = float(rate), float(beta1), float(beta2), float(epsilon), int(t)
        optimizers.adam(p, _flat(grad), v, s, *numbers)


def philox(counter, key):
    """Return the four 32-bit words of a counter (4 words) under a key (2 words)."""
    return tuple(int(word) for word in random.philox(*counter, *key))


def shuffle(order, seed, epoch):
    """Fill order (m,) with the permutation that belongs to (seed, epoch)."""
    with _Out(order) as (places,):
        random.shuffle.kernel(places, int(seed), int(epoch))


def all_finite(x):
    """Tell whether no number of x (p,) is NaN or infinite."""
    return bool(optimizers.all_finite(_flat(x)))


def _places(ops, ld):
    """Where the parts of a workspace for ld examples begin, and how long it is."""
    last = ops[-1]
    widest = max(ops["n_out"][1:].max(), ops["n_in"][1] if ops["kind"][1] != Kind.DENSE else 0)
    starts = [int((ops["A"] + ops["n_out"])[1:-1].max()) * ld]
    for rows in (2 * widest, 3, last["n_in"], 1):
        starts.append(starts[-1] + int(rows) * ld)
    D, scratch, targets, shares, blocks = starts
    return Places(D, int(widest) * ld, scratch, targets, shares, blocks), blocks


def workspace(ops, m, dtype):
    """Scratch for batches of up to m examples and for as many threads as are set."""
    _, size = _places(ops, padded.py_func(max(m, 1)))
    return np.zeros(size + _threads * FEATURES * EXAMPLES, dtype)


def _layout(ops, m, dtype, work=None):
    """(work, ld, places): a workspace for batches of up to m examples, `work` if it is given."""
    ld = padded.py_func(max(m, 1))
    work = workspace(ops, m, dtype) if work is None else work
    return work, ld, _places(ops, ld)[0]


def _team(ops, m):
    """Threads for steps of m examples: one, unless there is enough to share."""
    work = 3 * m * int((ops["n_in"] * ops["n_out"])[ops["kind"] == Kind.DENSE].sum())
    return _threads if work >= WORTH_A_TEAM else 1


BLOCK = 1024  # rows that forward-only work takes at a time


def forward(ops, theta, state, work, X):
    """Return [A (m, n_out) of each row but LOSS]; X (m, n_in)."""
    outputs = []
    for row in range(len(ops) - 1):
        outputs.append(np.empty((len(X), ops["n_out"][row]), theta.dtype))
        if row or ops["kind"][1] != Kind.DENSE:
            _predict(ops, row, theta, state, X, outputs[-1])
        else:
            _scaled(ops[0], state, X, outputs[-1])
    return outputs


def _scaled(op, state, X, out):
    """Write A (m, n) of the INPUT row, which nets that begin with DENSE never hold whole."""
    middle = op["state"] + op["stats"]
    if op["stats"]:
        shift, factor = state[op["state"] : middle], state[middle : middle + op["stats"]]
        standardize(X.astype(out.dtype), shift, factor, op["offset"], out)
    else:
        out[...] = X


def _predict(ops, row, theta, state, X, out):
    """Write A (m, n_out) of a row."""
    x, alive = locate(X)
    work, ld, places = _layout(ops, min(len(X), BLOCK), theta.dtype)
    order = np.arange(len(alive))
    args = (_table(theta.dtype), ops, row, theta, state, work, ld, places, x, order, out)
    assemble(compiled.predict, args, 1)


def predict(ops, theta, state, X, out):
    """Write A of the last layer, block by block.   out (m, K) C-contiguous; X (m, n_in)."""
    _predict(ops, len(ops) - 2, theta, state, X, out)


def evaluate(ops, theta, state, X, Y, w):
    """Return (cost, share of right rows), means over examples by weight.   Y (m, K); w (m,)."""
    x, alive = locate(X)
    work, ld, places = _layout(ops, min(len(X), BLOCK), theta.dtype)
    result = np.zeros(2)
    order = np.arange(len(alive))
    args = (_table(theta.dtype), ops, theta, state, work, ld, places, x, Y, w, order, result)
    assemble(compiled.evaluate.kernel, args, 1)
    return float(result[0]), float(result[1])


def gradient(ops, theta, grad, state, work, X, Y, w, rows, settings):
    """Write the gradient of one step and return (cost, Σ w of right rows, Σ w). As in `steps`."""
    x, _alive = locate(X)
    work, ld, places = _layout(ops, len(rows), theta.dtype)
    result = np.zeros(3)
    args = (_table(theta.dtype), ops, theta, grad, state, work, ld, places, x, Y, w, rows, settings.reshape(1), result)
    assemble(compiled.gradient.kernel, args, 1)
    return tuple(float(value) for value in result)


def update(theta, grad, slots, settings, rate, t):
    """Move theta along grad by the settings' method, the t-th time (from 1).   slots (s, p)."""
    compiled.update(_table(theta.dtype), theta, grad, slots, settings.reshape(1), float(rate), int(t), 0, 1)


def run(
    ops, theta, grad, slots, state, work, train, validation, settings, rates, record, scores,
    counters, start, stop,
):  # fmt: skip
    """Take the steps start … stop−1 of a fit and return the next one. As in `steps`."""
    (X, Y, w), (X_val, Y_val, w_val) = train, validation
    x, alive = locate(X)
    x_val, alive_val = locate(X_val)
    batch = min(int(settings["batch_size"]), len(X))
    work, ld, places = _layout(ops, batch, theta.dtype, work)
    args = (
        _table(theta.dtype), ops, theta, grad, slots, state, work, ld, places, x, Y, w, np.arange(len(alive)),
        x_val, Y_val, w_val, np.arange(len(alive_val)), settings.reshape(1), rates, record,
        scores, counters, start, stop,
    )  # fmt: skip
    done = assemble(compiled.run, args, _team(ops, batch))
    if done is None:  # no thread could be started
        done = assemble(compiled.run, args, 1)
    return int(done)
