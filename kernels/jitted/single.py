"""A single example through the layers: products of matrix and vector, and nothing laid out anew.

Weights are read once, along their rows. The sums run in another order than those of a batch, so
results may differ from a batch's in the last bits.
"""

from __future__ import annotations

import threading

import numpy as np

from ..opcodes import Activation, Kind, Mode
from ._jit import kernel
from .activations import activate
from .dots import dots
from .layers import elementwise
from .memory import locate, matrix, need, part
from .needs import addresses
from .optimizers import largest
from .reading import read

DENSE, ACTIVATION, INFERENCE = int(Kind.DENSE), int(Kind.ACTIVATION), int(Mode.INFERENCE)
SOFTMAX, IDENTITY = int(Activation.SOFTMAX), int(Activation.IDENTITY)

KEPT = 32  # networks whose workspaces a thread keeps


@kernel
def _layers(table, ops, theta, state, work, widest, X, order, out):
    """Write A (1, K) of the last layer; False, and nothing written, where X is not finite.

    work: two vectors (widest,), used in turn, and two numbers for softmax; order: [0].
    """
    n = ops[0].n_out
    read(table, ops[0], state, X, order, 0, matrix(work, 0, 1, n))
    if largest(part(work, 0, n)) == np.inf:
        return False
    last = ops.size - 2
    for row in range(1, last + 1):
        op = ops[row]
        n, a, z = op.n_out, (row - 1) % 2 * widest, row % 2 * widest
        if op.kind == DENSE:
            for o in range(n):
                work[z + o] = theta[op.b + o] if op.b >= 0 else theta.dtype.type(0)
            dots(table, n, 1, op.n_in, theta, op.W, op.n_in, work, a, op.n_in, work, z, 1, 1, 1)
            a = z
        if op.kind != DENSE and op.kind != ACTIVATION:
            before, A = matrix(work, a, n, 1), matrix(work, z, n, 1)
            elementwise(table, ops, row, theta, state, before, A, order, 1, 0, INFERENCE, 0, 1)
        elif op.code == SOFTMAX:
            Z, A, scratch = matrix(work, a, n, 1), matrix(work, z, n, 1), 2 * widest
            activate(table, SOFTMAX, Z, A, 0, 1, 0, n, matrix(work, scratch, 2, 1))
        elif op.code != IDENTITY or a != z:
            Z, A = matrix(work, a, 1, n), matrix(work, z, 1, n)
            activate(table, op.code, Z, A, 0, n, 0, 1, Z)
    for k in range(out.shape[1]):
        out[0, k] = work[last % 2 * widest + k]
    return True


class _Kept(threading.local):
    """What each thread keeps: by op table and dtypes, a row to copy into and all it needs."""

    def __init__(self):
        self.prepared = {}


_kept = _Kept()


def _prepare(ops, dtype, kind):
    """A row (1, n) of dtype `kind`, the table of kernels, and the arguments beside the vectors."""
    widest = -(-max(int(ops["n_in"].max()), int(ops["n_out"].max())) // 16) * 16
    row = np.empty((1, ops["n_in"][0]), kind)
    X, _ = locate(row)
    work = np.zeros(2 * widest + 2, dtype)
    return row, addresses(ops, dtype, "single", {need(row)}), work, widest, X, np.zeros(1, np.int64)


def single(ops, theta, state, X, out):
    """Write A (1, K) of the last layer for one row X (1, n); False where a number is not finite.

    X: of a dtype that kernels read.
    """
    key = ops.tobytes(), theta.dtype, X.dtype
    found = _kept.prepared.get(key)
    if found is None:
        if len(_kept.prepared) >= KEPT:
            _kept.prepared.clear()
        found = _kept.prepared[key] = _prepare(ops, theta.dtype, X.dtype)
    row, table, work, widest, place, order = found
    row[...] = X  # asking for the address of X would take longer, 0.8 µs
    return _layers(table, ops, theta, state, work, widest, place, order, out)
