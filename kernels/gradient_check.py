"""Slopes of a program's cost by central differences: the loop over parameters, in Python.

`loops` and `vectorized` share it; `jitted/execution/gradient_check.py` compiles the same loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import Backend
from .records import Batch, Examples

Array = np.ndarray[Any, Any]

EPOCH = 0  # whose masks and noise the check freezes
MIN_RELATIVE_STEP = 1e-8  # of |θ|, the root of float64's rounding: less is lost in rounding


def step_at(theta: Any, epsilon: float) -> Any:
    """Return how far a number θ is moved: by ε, or by a share of |θ| where ε is far below it."""
    return max(epsilon, MIN_RELATIVE_STEP * abs(theta))


def full_batch_gradient(
    backend: Backend, ops: Array, theta: Array, grad: Array, state: Array, examples: Examples,
    settings: Array,
) -> float:  # fmt: skip
    """Write the gradient of one step over all examples and return its cost, L2 and L1 included.

    grad (p,) out; theta (p,). The one place of the check that calls a backend: dropout masks and
    noise are those of epoch 0, each time the same.
    """
    m = len(examples.X)
    work = backend.workspace(ops, m, theta.dtype)
    batch = Batch.of(examples, np.arange(m))
    return float(backend.gradient(ops, theta, grad, state, work, batch, settings, EPOCH)[0])


def by_each(
    backend: Backend, ops: Array, theta: Array, state: Array, examples: Examples, settings: Array,
    epsilon: float, indices: Array, out: Array,
) -> None:  # fmt: skip
    """Write out = (J(θ + εe) − J(θ − εe)) / 2ε for the parameters θ[indices].   Both (k,).

    The step ε is `step_at` each of them. theta (p,) is as before at the end.
    """
    grad = np.zeros_like(theta)
    for k, i in enumerate(indices):
        kept = theta[i]
        step = step_at(kept, epsilon)
        high, low = kept + step, kept - step
        costs = []
        for moved in (high, low):
            theta[i] = moved
            costs.append(full_batch_gradient(backend, ops, theta, grad, state, examples, settings))
        out[k] = (costs[0] - costs[1]) / (high - low)
        theta[i] = kept


def along(
    backend: Backend, ops: Array, theta: Array, state: Array, examples: Examples, settings: Array,
    epsilon: float, directions: Array, out: Array,
) -> None:  # fmt: skip
    """Write out = (J(θ + εd) − J(θ − εd)) / 2ε along directions (k, p).   out (k,)."""
    grad = np.zeros_like(theta)
    for k, d in enumerate(directions):
        up, down = (
            full_batch_gradient(backend, ops, theta + step * d, grad, state, examples, settings)
            for step in (epsilon, -epsilon)
        )
        out[k] = (up - down) / (2 * epsilon)
