"""The doors of a compiled program: workspaces, teams, and the calls that run it."""

from __future__ import annotations

import numpy as np

from ..opcodes import Kind
from . import run as compiled
from ._link import table as _table
from .doors import standardize
from .layers import EXAMPLES, FEATURES, Places, padded
from .memory import locate
from .team import assemble

#: Multiplications in one step below which a team would cost more than it saves.
WORTH_A_TEAM = 2_000_000

BLOCK = 1024  # rows that forward-only work takes at a time


def _places(ops, ld):
    """Where the parts of a workspace for ld examples begin, and how long it is."""
    last = ops[-1]
    widest = max(ops["n_out"][1:].max(), ops["n_in"][1] if ops["kind"][1] != Kind.DENSE else 0)
    starts = [int((ops["A"] + ops["n_out"])[1:-1].max()) * ld]
    for rows in (2 * widest, 3, last["n_in"], 2):
        starts.append(starts[-1] + int(rows) * ld)
    D, scratch, targets, weights, blocks = starts
    return Places(D, int(widest) * ld, scratch, targets, weights, blocks), blocks


def workspace(ops, m, dtype, threads=1):
    """Scratch for batches of up to m examples and teams of up to `threads`."""
    _, size = _places(ops, padded.py_func(max(m, 1)))
    return np.zeros(size + threads * FEATURES * EXAMPLES, dtype)


def _layout(ops, m, dtype, work=None):
    """(work, ld, places): a workspace for batches of up to m examples, `work` if it is given."""
    ld = padded.py_func(max(m, 1))
    work = workspace(ops, m, dtype) if work is None else work
    return work, ld, _places(ops, ld)[0]


def _team(ops, m, threads):
    """Size of the team for steps of m examples: one, unless there is enough to share."""
    work = 3 * m * int((ops["n_in"] * ops["n_out"])[ops["kind"] == Kind.DENSE].sum())
    return threads if work >= WORTH_A_TEAM else 1


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
        wide = np.result_type(X.dtype, out.dtype)
        inside = np.empty(out.shape, wide)
        standardize(X.astype(wide), shift.astype(wide), factor.astype(wide), op["offset"], inside)
        out[...] = inside
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
    args = (
        _table(theta.dtype),
        ops,
        theta,
        grad,
        state,
        work,
        ld,
        places,
        x,
        Y,
        w,
        rows,
        settings.reshape(1),
        result,
    )
    assemble(compiled.gradient.kernel, args, 1)
    return tuple(float(value) for value in result)


def update(theta, grad, slots, settings, rate, t):
    """Move theta along grad by the settings' method, the t-th time (from 1).   slots (s, p)."""
    compiled.update(
        _table(theta.dtype), theta, grad, slots, settings.reshape(1), float(rate), int(t), 0, 1
    )


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
        _table(theta.dtype), ops, theta, grad, slots, state, work, ld, places,
        x, Y, w, np.arange(len(alive)), x_val, Y_val, w_val, np.arange(len(alive_val)),
        settings.reshape(1), rates, record, scores, counters, start, stop,
    )  # fmt: skip
    done = assemble(compiled.run, args, _team(ops, batch, int(settings["threads"])))
    if done is None:  # no thread could be started
        done = assemble(compiled.run, args, 1)
    return int(done)
