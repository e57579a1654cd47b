"""Folding: a program for prediction alone, BatchNorm taken into the weights of the layer before.

With s = γ / √(σ² + ε): γ ((X W + b) − μ) / √(σ² + ε) + β = X (W s) + ((b − μ) s + β).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .kernels.aligned import aligned_zeros
from .kernels.opcodes import Kind
from .kernels.steps import biases, moments, scales, weights
from .lowering import lay_outputs, lay_parameters
from .program import Program

Array = np.ndarray[Any, Any]


def fold(program: Program) -> Program:
    """Return a program that gives the same outputs with fewer rows, or the program itself.

    It shares the state and no parameter; layers' outputs in between are not those of `rows`.
    """
    gone = program.folds
    if not gone:
        return program
    kept = [i for i in range(len(program.ops)) if i not in gone]
    ops = program.ops[kept].copy()
    for i, row in enumerate(kept):
        if row + 1 in gone:
            ops[i]["b"] = 0  # a bias, also where the layer had none
    decay, size = lay_parameters(ops, program.theta.dtype)
    lay_outputs(ops)
    theta = aligned_zeros(size, program.theta.dtype)
    for op, row in zip(ops, kept, strict=True):
        old = program.ops[row]
        if op["kind"] == Kind.BATCHNORM:
            for new, value in zip(scales(theta, op), scales(program.theta, old), strict=True):
                new[...] = value
        elif op["kind"] == Kind.DENSE:
            W, b = weights(program.theta, old), biases(program.theta, old)
            if row + 1 in gone:
                W, b = _taken_in(program, program.ops[row + 1], W, b)
            weights(theta, op)[...] = W
            if op["b"] >= 0:
                biases(theta, op)[...] = b
    ops[-1]["source"] = len(ops) - 2
    names = tuple(program.names[row] for row in kept)
    return replace(program, ops=ops, theta=theta, decay=decay, names=names)


def _taken_in(program: Program, norm: Any, W: Array, b: Array) -> tuple[Array, Array]:
    """Return W s and (b − μ) s + β for the BATCHNORM row behind a layer, in float64."""
    mean, variance = (v.astype(np.float64) for v in moments(program.state, norm)[:2])
    gamma, beta = (v.astype(np.float64) for v in scales(program.theta, norm))
    s = gamma / np.sqrt(variance + float(norm["offset"]))
    return W * s, (b - mean) * s + beta
