"""Dense steps: a trained network as a chain of dense layers, all else folded into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import activations
from fastnn.errors import NotBuiltError, SettingError
from fastnn.export.stages import Function, Norm, Product, Scaling, check_exportable, stages
from fastnn.kernels.int8_model import MAX_INT8_FEATURES
from fastnn.kernels.opcodes import Activation
from fastnn.lowering.fold_batchnorm import fold
from fastnn.training.state import NetworkState

Array = np.ndarray[Any, Any]


@dataclass
class DenseStep:
    """A = g(X W + b), with W (n_in, n_out) and b (n_out,) in float64."""

    W: Array
    b: Array
    activation: Activation = Activation.IDENTITY


def check_trained(state: NetworkState) -> None:
    """Refuse a network whose parameters are those that its seed draws."""
    program = state.program
    state.check_scaled()
    fresh = NetworkState(state.layers, state.loss, state.init, state.seed, state.dtype)
    fresh.build(program.inputs)
    if np.array_equal(fresh.program.theta, program.theta):
        raise NotBuiltError(
            "this network is not trained: its weights are still those drawn at first; call fit, "
            "or set_parameters, before quantize"
        )


def dense_steps(state: NetworkState) -> tuple[Scaling | None, list[DenseStep]]:
    """Return how a network scales X, or None, and its dense layers from input to output.

    BatchNorm is folded into the weights before or behind it, the scaling of targets into the last
    ones; dropout and noise are gone.

    Raises
    ------
    SettingError
        If a layer stands where no dense layer can take it up, an activation is a user's own, or a
        layer has so many inputs that sums of bytes could leave int32.
    """
    program = fold(check_exportable(state, "int8 prediction", activations.NAMES))
    scaling: Scaling | None = None
    steps: list[DenseStep] = []
    scale, shift = np.ones(program.inputs), np.zeros(program.inputs)  # of inputs to come
    open_step = False  # whether the last step can still take an activation
    for stage in stages(program, state.target_scaling):
        if isinstance(stage, Scaling):
            scaling = in_single(stage)
        elif isinstance(stage, Norm):
            s = stage.gamma / np.sqrt(stage.variance.astype(np.float64) + stage.epsilon)
            scale, shift = scale * s, (shift - stage.mean) * s + stage.beta
            open_step = False
        elif isinstance(stage, Product):
            W = stage.W.astype(np.float64)
            steps.append(DenseStep(scale[:, None] * W, stage.b + shift @ W))
            scale, shift, open_step = np.ones(W.shape[1]), np.zeros(W.shape[1]), True
        elif isinstance(stage, Function):
            if not open_step:
                raise _out_of_place(f"activation {stage.name!r}")
            steps[-1].activation, open_step = Activation[stage.name.upper()], False
    if (scale != 1).any() or shift.any():
        raise _out_of_place("the last BatchNorm")
    _check_widths(steps)
    return scaling, steps


def _out_of_place(what: str) -> SettingError:
    """Return the error about a layer that belongs to no Dense layer."""
    return SettingError(
        f"int8 prediction cannot hold {what} where it stands; put each activation right behind a "
        "Dense layer or its BatchNorm, and a Dense layer behind any other BatchNorm"
    )


def _check_widths(steps: list[DenseStep]) -> None:
    """Refuse sums of so many products that they could leave int32."""
    widest = max(len(step.W) for step in steps)
    if widest > MAX_INT8_FEATURES:
        raise SettingError(
            f"a layer has {widest:,} inputs, and int8 prediction takes up to "
            f"{MAX_INT8_FEATURES:,}, whose sums stay in int32; use predict of the network itself"
        )


def in_single(scaling: Scaling) -> Scaling:
    """Return a scaling in float32; what the shift loses to rounding is its rest."""
    exact = scaling.shift.astype(np.float64) + scaling.rest
    shift = exact.astype(np.float32)
    rest = (exact - shift).astype(np.float32)
    return Scaling(shift, scaling.factor.astype(np.float32), scaling.offset, rest)
