"""Stages: what a trained network computes, as the few plain steps that other libraries know."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import activations
from fastnn.errors import SettingError
from fastnn.kernels.opcodes import Activation, Kind
from fastnn.kernels.views import biases, moments, scales, statistics, weights
from fastnn.lowering.program import Program
from fastnn.training.state import NetworkState
from fastnn.training.target_scaling import TargetScaling

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scaling:
    """A = (X − shift) factor + offset, of one number for all features or one for each.

    `rest` is what the shift lost to rounding: wide X needs shift + rest in float64.
    """

    shift: Array
    factor: Array
    offset: float
    rest: Array


@dataclass(frozen=True)
class Product:
    """Z = X W + b, with W (n_in, n_out) and b (n_out,)."""

    W: Array
    b: Array


@dataclass(frozen=True)
class Function:
    """A = g(Z), g a built-in activation."""

    name: str


@dataclass(frozen=True)
class Norm:
    """A = γ (X − mean) / √(variance + ε) + β, each (n,); momentum as `BatchNorm` means it."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float
    momentum: float


@dataclass(frozen=True)
class Drop:
    """Inverted dropout of that rate while training, nothing afterwards."""

    rate: float


Stage = Scaling | Product | Function | Norm | Drop


def check_exportable(state: NetworkState, target: str, known: Container[str]) -> Program:
    """Return the program of a network that `target` can hold, or say what is in the way.

    known: the activations besides the identity for which `target` has a counterpart.
    """
    program = state.program
    state.check_scaled()
    for layer in state.layers:
        name = getattr(layer, "activation", getattr(layer, "function", "identity"))
        if name != "identity" and name not in known:
            own = " is a function of your own, for which" if name not in activations.NAMES else ":"
            names = ", ".join(one for one in activations.NAMES if one == "identity" or one in known)
            raise SettingError(
                f"activation {name!r} of {layer}{own} {target} has no counterpart; use one of "
                f"{names}"
            )
    return program


def stages(program: Program, scaling: TargetScaling | None = None) -> list[Stage]:
    """Return the steps of a program from input to output; noise, for training only, is left out.

    scaling: that of the network's targets, which the last product takes up.
    """
    found: list[Stage] = []
    for op in program.ops[:-1]:
        kind = op["kind"]
        if kind == Kind.INPUT and op["stats"]:
            shift, factor, rest = statistics(program.state, op)
            found.append(Scaling(shift, factor, float(op["offset"]), rest))
        elif kind == Kind.DENSE:
            found.append(Product(weights(program.theta, op), biases(program.theta, op)))
        elif kind == Kind.BATCHNORM:
            gamma, beta = scales(program.theta, op)
            mean, variance = moments(program.state, op)[:2]
            settings = float(op["offset"]), float(op["rate"])
            found.append(Norm(gamma, beta, mean, variance, *settings))
        elif kind == Kind.DROPOUT:
            found.append(Drop(float(op["rate"])))
        if kind in (Kind.DENSE, Kind.ACTIVATION) and op["code"] != Activation.IDENTITY:
            found.append(Function(Activation(int(op["code"])).name.lower()))
    return found if scaling is None else _in_unit_of_targets(found, scaling)


def _in_unit_of_targets(found: list[Stage], scaling: TargetScaling) -> list[Stage]:
    """Return steps whose outputs are the targets' values, from those that give their z-scores.

    Without a product at the end, one by a diagonal matrix follows.
    """
    dtype = next(stage for stage in found if isinstance(stage, Product)).W.dtype
    last = found[-1]
    if isinstance(last, Product):
        W, b = last.W.astype(np.float64), last.b.astype(np.float64)
        found = found[:-1]
    else:
        W, b = np.eye(len(scaling.mean)), np.zeros(len(scaling.mean))
    W, b = W * scaling.deviation, b * scaling.deviation + scaling.mean
    return [*found, Product(W.astype(dtype), b.astype(dtype))]
