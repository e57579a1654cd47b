"""Folding: programs for prediction alone, from that of the described layers.

`fold` multiplies a BatchNorm into the weights of the layer before it. With s = γ / √(σ² + ε):
γ ((X W + b) − μ) / √(σ² + ε) + β = X (W s) + ((b − μ) s + β). The other two give op tables from
which the logits of an output can be had.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from fastnn.kernels.opcodes import OP, Activation, Kind
from fastnn.kernels.views import aligned_zeros, biases, moments, scales, weights

from .lower import place_outputs, place_parameters
from .program import Program

Array = np.ndarray[Any, Any]


def fold(program: Program) -> Program:
    """Return a program that gives the same outputs with fewer rows, or the program itself.

    The new program shares the state and no parameter. Its `output_rows` are still those of the old
    one and are of no use.
    """
    gone = program.foldable_batchnorms
    if not gone:
        return program
    kept = [i for i in range(len(program.ops)) if i not in gone]
    ops = program.ops[kept].copy()
    for i, row in enumerate(kept):
        if row + 1 in gone:
            ops[i]["b"] = 0  # a bias, also where the layer had none
    n_decayed, size = place_parameters(ops, program.theta.dtype)
    place_outputs(ops)
    theta = aligned_zeros(size, program.theta.dtype)
    for op, row in zip(ops, kept, strict=True):
        old = program.ops[row]
        if op["kind"] == Kind.BATCHNORM:
            for new, value in zip(scales(theta, op), scales(program.theta, old), strict=True):
                new[...] = value
        elif op["kind"] == Kind.DENSE:
            W, b = weights(program.theta, old), biases(program.theta, old)
            if row + 1 in gone:
                W, b = _fold_into(program, program.ops[row + 1], W, b)
            weights(theta, op)[...] = W
            if op["b"] >= 0:
                biases(theta, op)[...] = b
    ops[-1]["source"] = len(ops) - 2
    names = tuple(program.names[row] for row in kept)
    return replace(program, ops=ops, theta=theta, n_decayed=n_decayed, names=names)


def _fold_into(program: Program, norm: Any, W: Array, b: Array) -> tuple[Array, Array]:
    """Return W s and (b − μ) s + β for the BATCHNORM row behind a layer, in float64."""
    mean, variance = (v.astype(np.float64) for v in moments(program.state, norm)[:2])
    gamma, beta = (v.astype(np.float64) for v in scales(program.theta, norm))
    s = gamma / np.sqrt(variance + float(norm["offset"]))
    return W * s, (b - mean) * s + beta


@lru_cache(maxsize=256)
def split_output_activation(key: bytes) -> tuple[Array, bytes]:
    """Return an op table, given as bytes, with the output's activation in a row of its own.

    Then the logits, the argument z of that activation, are the output of the row before. Tables of
    costs that begin with logits are like this already; in others the last DENSE row applies the
    activation. The second result is the new table as bytes.
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
    place_outputs(apart)
    return apart, apart.tobytes()


def logits_ops(program: Program) -> Array:
    """Return the op table whose output is the logits, without the output's activation."""
    ops = split_output_activation(program.key)[0]
    rest: Array = ops[[*range(len(ops) - 2), len(ops) - 1]]
    rest[-1]["source"] = len(rest) - 2
    return rest
