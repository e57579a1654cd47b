"""The kernels: one table of ops, run by three backends under the same names and signatures.

======== ==========================================================================
m        examples; rows are examples: X is (m, n_in)
n_in     numbers that an op takes from each example; n_out: numbers it gives
L        layers
X        input (m, n_in); Y targets (m, K); w weights of the examples (m,)
W, b     weights (n_in, n_out) and biases (n_out,) of a dense layer
Z, A     Z = X W + b and A = g(Z), both (m, n_out); the A of one layer is the X of the next
dW, …    the derivative of the cost by W, …: dA, dZ, dW, db
======== ==========================================================================

``get`` returns a `Backend`, the typed record of ops; `op_registry` has example arguments of each.
``loops`` is the readable specification, ``vectorized`` plain NumPy, ``jitted`` Numba.
"""

from __future__ import annotations

import importlib
from functools import cache

from .backend import Backend

BACKENDS = ("loops", "vectorized", "jitted")


@cache
def get(name: str) -> Backend:
    """Return the backend of that name: its ops, and the calls that run a program.

    Raises
    ------
    ValueError
        If there is no such backend.
    NotImplementedError
        If it lacks a kernel for an activation, a loss, an optimiser or a kind of row.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend {name!r} does not exist; there are {', '.join(BACKENDS)}")
    backend: Backend = importlib.import_module(f".{name}", __name__).BACKEND
    return backend
