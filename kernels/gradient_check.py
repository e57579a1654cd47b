"""Slopes of a program's cost by central differences: the loop over parameters, in Python.

`loops` and `vectorized` share it; `jitted/gradient_check.py` compiles the same loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EPOCH = 0  # whose masks and noise the check freezes
LEAST = 1e-8  # of a number, the root of float64's rounding: a shorter step is lost in rounding


def step_at(theta: Any, epsilon: float) -> Any:
    """Return how far a number θ is moved: by ε, or by a share of |θ| where ε is far below it."""
    return max(epsilon, LEAST * abs(theta))


def gradient(
    kernels: Any, ops: Array, theta: Array, grad: Array, state: Array,
    X: Array, Y: Array, w: Array, settings: Array,
) -> float:  # fmt: skip
    """Write the gradient of one step over all rows of X and return its cost, L2 and L1 included.

    grad (p,) out; theta (p,); X (m, n_in); Y (m, K); w (m,). The one place of the check that calls
    a backend: dropout masks and noise are those of epoch 0, each time the same.
    """
    work = kernels.workspace(ops, len(X), theta.dtype)
    rows = np.arange(len(X))
    return float(kernels.gradient(ops, theta, grad, state, work, X, Y, w, rows, settings, EPOCH)[0])


def gradient_check(
    kernels: Any, ops: Array, theta: Array, state: Array,
    X: Array, Y: Array, w: Array, settings: Array, epsilon: float, places: Array, out: Array,
) -> None:  # fmt: skip
    """out = (J(θ + εe) − J(θ − εe)) / 2ε for the parameters θ[places].   out, places (k,).

    The step ε is `step_at` each of them. theta (p,) is as before at the end.
    """
    grad = np.zeros_like(theta)
    for k, i in enumerate(places):
        kept = theta[i]
        step = step_at(kept, epsilon)
        high, low = kept + step, kept - step
        costs = []
        for moved in (high, low):
            theta[i] = moved
            costs.append(gradient(kernels, ops, theta, grad, state, X, Y, w, settings))
        out[k] = (costs[0] - costs[1]) / (high - low)
        theta[i] = kept


def slopes_along(
    kernels: Any, ops: Array, theta: Array, state: Array,
    X: Array, Y: Array, w: Array, settings: Array, epsilon: float, directions: Array, out: Array,
) -> None:  # fmt: skip
    """out = (J(θ + εd) − J(θ − εd)) / 2ε for each direction d.   out (k,); directions (k, p)."""
    grad = np.zeros_like(theta)
    for k, d in enumerate(directions):
        up, down = (
            gradient(kernels, ops, theta + step * d, grad, state, X, Y, w, settings)
            for step in (epsilon, -epsilon)
        )
        out[k] = (up - down) / (2 * epsilon)
