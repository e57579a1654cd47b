"""Slopes by central differences, of a program's cost and of any compiled function."""

from __future__ import annotations

import numpy as np

from ...gradient_check import EPOCH
from ...records import Batch
from ..loader.tables import entry_point
from ..records import Differences, Model, Phase
from ..threads.team import run_parallel
from .input_mode import select_input_mode
from .kernel_selection import kernel_ptrs_of, required_for_groups
from .workspace import layout


def gradient_check(ops, theta, state, examples, settings, epsilon, indices, out):
    """Write out[i] = (J(θ + ε e) − J(θ − ε e)) / 2ε, where e is the unit vector of θ[indices[i]].

    J: cost of the program `ops`, an op table (rows,), over `examples`, an Examples; its penalty is
    included, and dropout masks and noise are those of epoch 0. theta (p,) is θ and is restored at
    the end; state: statistics; settings: an element of dtype SETTINGS; epsilon: ε, raised where it
    is too small for |θ|; indices (k,): int64; out (k,).
    """
    X, Y, w = examples
    mode = select_input_mode(ops, state, X, theta.dtype, len(X))
    workspace, group_losses, _ = layout(mode.ops, len(X), theta.dtype, X)
    required_kernels = mode.required_kernels | required_for_groups(group_losses)
    required_kernels |= {"cost differences"}
    args = (
        kernel_ptrs_of(mode.ops, theta.dtype, "gradient", required_kernels, settings),
        Model(mode.ops, theta, state), np.zeros_like(theta), workspace,
        Batch.of((mode.X, Y, w), np.arange(len(X))), settings.reshape(1),
        Phase(int(settings["seed"]), EPOCH), group_losses,
        Differences(float(epsilon), indices, out, np.zeros(3)),
    )  # fmt: skip
    run_parallel(entry_point("step.gradient_check.cost_differences", theta.dtype), args, 1)


def slopes(f, theta, epsilon):
    """Return the slopes (f(θ + ε e) − f(θ − ε e)) / 2ε of f by each number of theta, (p,) float64.

    e: the unit vector of that number; f: a function compiled by Numba, of one array; theta: a
    C-contiguous float64 array of p numbers, of any shape, unchanged; epsilon: ε. Returns None where
    f cannot be compiled for this type of array or returns no number.
    """
    from ..step.gradient_check import slopes_of  # f is Numba's, so Numba is imported already

    out = np.empty(theta.size)
    return out if slopes_of(f, theta.copy(), epsilon, out) else None
