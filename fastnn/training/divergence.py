"""Divergence: the layer in which a step whose outputs are finite leaves the range of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.kernels.backend import Backend
from fastnn.kernels.opcodes import Kind
from fastnn.kernels.records import Batch
from fastnn.lowering.program import Program

Array = np.ndarray[Any, Any]


def first_steep_layer(
    kernels: Backend, program: Program, work: Array, batch: Batch, settings: Array, epoch: int
) -> str:
    """Return the dense layer with the largest slope in a step, or "loss" if the cost is infinite.

    What is finite before the update becomes infinite in it: the largest slope tells where.
    """
    grad = np.zeros_like(program.grad)
    cost, _, _ = kernels.gradient(
        program.ops, program.theta, grad, program.state, work, batch, settings, epoch
    )
    if not np.isfinite(cost):
        return "loss"
    dense = [i for i, op in enumerate(program.ops) if op["kind"] == Kind.DENSE]
    slopes = [np.abs(dW).max() for name, dW in program.views(grad).items() if name[0] == "W"]
    worst = int(np.argmax(np.nan_to_num(slopes, nan=np.inf)))
    return program.names[dense[worst]]
