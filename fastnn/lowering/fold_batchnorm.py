"""Folding: programs for prediction alone, from that of the described layers.

BatchNorm is taken into the weights of the layer before; what an output's activation is taken of
can be had. With s = γ / √(σ² + ε): γ ((X W + b) − μ) / √(σ² + ε) + β = X (W s) + ((b − μ) s + β).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from fastnn.kernels.opcodes import OP, Activation, Kind
from fastnn.kernels.views import aligned_zeros, biases, moments, scales, weights

from .lower import lay_outputs, lay_parameters
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


@lru_cache(maxsize=256)
def split(key: bytes) -> tuple[Array, bytes]:
    """Return the op table of these bytes, its output's activation a row of its own, and its bytes.

    So the argument z of that activation can be had. Costs that begin with logits want it so; others
    leave the activation to the last DENSE row.
    """
    ops = np.frombuffer(key, OP)
    if ops[-2]["kind"] == Kind.ACTIVATION:
        return ops.copy(), key
    apart = np.zeros(len(ops) + 1, OP)
    apart[:-2], apart[-1] = ops[:-1], ops[-1]
    n, code = ops[-2]["n_out"], ops[-2]["code"]
    apart[-3]["code"] = Activation.IDENTITY
    apart[-2]["kind"], apart[-2]["code"], apart[-2]["b"] = Kind.ACTIVATION, code, -1
    apart[-2]["n_in"] = apart[-2]["n_out"] = n
    apart[-1]["source"] = len(apart) - 2
    lay_outputs(apart)
    return apart, apart.tobytes()


def logits(program: Program) -> Array:
    """Return the op table whose last layer has the argument of the program's last activation."""
    ops = split(program.key)[0]
    rest: Array = ops[[*range(len(ops) - 2), len(ops) - 1]]
    rest[-1]["source"] = len(rest) - 2
    return rest
