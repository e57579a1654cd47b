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

``loops`` is the readable specification, ``vectorized`` plain NumPy, ``jitted`` Numba.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

BACKENDS = ("loops", "vectorized", "jitted")


@cache
def get(name: str) -> ModuleType:
    """Return the backend of that name: a module with the ops and `run`.

    Raises
    ------
    ValueError
        If there is no such backend.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend {name!r} does not exist; there are {', '.join(BACKENDS)}")
    return importlib.import_module(f".{name}", __name__)
