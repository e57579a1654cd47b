"""The check of a user's loss: functions of each number alone, and the right derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import kernels
from fastnn.errors import SettingError
from fastnn.kernels.custom_activations import CUSTOM, pair
from fastnn.kernels.custom_ops import code_of
from fastnn.kernels.opcodes import Activation

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]
Points = tuple[Array, Array]  # predictions (n,) and targets (n,)
STEP = 1e-6  # half of the distance of central differences
TOLERANCE = 1e-5  # of a slope, and of its size

#: Targets at which a loss is checked. Odd offsets keep kinks, like that of |a − y|, between them.
TARGET_POINTS: dict[str, Array] = {
    "real": np.linspace(-2.5, 2.5, 7) + 0.0173,
    "positive": np.array([0.1, 0.52, 1.03, 2.1, 5.2]),
    "counts": np.array([0.0, 1, 2, 7]),
    "binary": np.array([0.0, 1]),
    "classes": np.array([0.0, 1]),
}


def points_for(outputs: tuple[str, ...], targets: str, from_logits: bool) -> Points:
    """Return predictions that these outputs can give, or logits, each with each target, (n,)."""
    z = np.linspace(-3, 3, 31) + 0.0371
    taken = [z] if from_logits or not outputs else [_outputs_of(name, z) for name in outputs]
    grid = np.meshgrid(np.concatenate(taken), TARGET_POINTS[targets], indexing="ij")
    return grid[0].ravel(), grid[1].ravel()


def _outputs_of(name: str, z: Array) -> Array:
    """Return g(z) (n,) of an output activation, away from a 0 that it may not pass."""
    known = {activation.name.lower(): activation for activation in Activation}
    custom = code_of(name) if isinstance(name, str) else None
    if name not in known and custom not in CUSTOM:
        raise SettingError(
            f"outputs name {name!r}, which is no activation; there are {', '.join(known)}"
        )
    # A softmax gives one of several outputs any number from 0 to 1, as a sigmoid does.
    code = known.get("sigmoid" if name == "softmax" else name)
    vectorized = kernels.get("vectorized").activations
    forward = pair(int(custom or 0))[0] if code is None else vectorized[code].forward
    A = np.empty((1, z.size))
    forward(z[None], A)
    found: Array = np.maximum(A[0], 1e-3) if A.min() >= 0 else A[0]
    return found


def elementwise(
    function: Function, role: str, points: Points, rest: tuple[float, ...]
) -> tuple[Function, Array]:
    """Return a function of float64 arrays, and its values (n,) at some points.

    function: a user's, of arrays or of numbers; role: what errors call it; rest: its parameter,
    if it has one.
    """
    with np.errstate(all="ignore"):
        single, problem = _by_number(function, points, rest)
        whole = _by_array(function, points, rest)
        if whole is None and single is None:
            raise SettingError(
                f"{role} is no function of (prediction, target): {problem}; it must give one "
                "number for two, or an array of their shape for two arrays"
            )
    values = single if whole is None else whole
    if whole is not None and single is not None:
        apart = ~np.isclose(whole, single, rtol=1e-9, atol=1e-12, equal_nan=True)
        if apart.any():
            i = int(apart.argmax())
            raise SettingError(
                f"{role} must be a function of each pair of numbers alone, but {_place(points, i)} "
                f"it gives {whole[i]:.6g} among others and {single[i]:.6g} alone; leave sums and "
                "means over examples and outputs to the network"
            )
    assert values is not None
    if not np.isfinite(values).all():
        i = int((~np.isfinite(values)).argmax())
        raise SettingError(
            f"{role} gives {values[i]} {_place(points, i)}; name the outputs and targets that it "
            'is made for, as outputs="softplus", targets="counts"'
        )
    return (_of_arrays(function) if whole is None else function), values


def _of_arrays(function: Function) -> Function:
    """Return a function of two float64 arrays of one shape, of a function of numbers."""

    def of_arrays(A: Array, Y: Array, *rest: float) -> Array:
        pairs = zip(A.ravel(), Y.ravel(), strict=True)
        values = [float(function(a, y, *rest)) for a, y in pairs]
        return np.array(values, np.float64).reshape(A.shape)

    return of_arrays


def _by_array(function: Function, points: Points, rest: tuple[float, ...]) -> Array | None:
    """Return a function's values (n,) of arrays (n,), or None if it does not take them."""
    try:
        values = np.asarray(function(*(p.copy() for p in points), *rest), np.float64)
    except Exception:  # what a function of numbers does with arrays is of every type
        return None
    return values if values.shape == points[0].shape else None


def _by_number(
    function: Function, points: Points, rest: tuple[float, ...]
) -> tuple[Array | None, str]:
    """Return a function's values (n,), each of two numbers alone, or None and why it has none."""
    try:
        each = [function(a, y, *rest) for a, y in zip(*points, strict=True)]
        values = np.asarray(each, np.float64)
    except Exception as error:  # a user's function may raise what it likes
        problem = f"{type(error).__name__}: {error}"
        try:  # of arrays alone, then
            pairs = ((p[i : i + 1] for p in points) for i in range(len(points[0])))
            values = np.concatenate(
                [np.asarray(function(*two, *rest), np.float64) for two in pairs]
            )
        except Exception:
            return None, problem
    if values.shape != points[0].shape:
        return None, f"it turned two numbers into an array of shape {values.shape[1:]}"
    return values, ""


def _place(points: Points, i: int) -> str:
    """Return a point in words."""
    return f"at prediction = {points[0][i]:.4f}, target = {points[1][i]:.4g}"


def check_slope(
    cost: Function,
    slope: Function,
    points: Points,
    rest: tuple[float, ...],
    outputs: tuple[str, ...],
) -> None:
    """Hold slope against central differences of cost; both take arrays (n,) of points."""
    a, y = points
    with np.errstate(all="ignore"):
        ends = [np.asarray(cost(a + step, y, *rest)) for step in (STEP, -STEP)]
        found = np.asarray(slope(a, y, *rest), np.float64)
    right = (ends[0] - ends[1]) / (2 * STEP)
    wrong = ~(np.abs(found - right) <= TOLERANCE * (1 + np.abs(right)))
    if wrong.any():
        i = int(wrong.argmax())
        raise SettingError(
            f"slope is not the derivative of cost: {_place(points, i)} it gives {found[i]:.6g}, "
            f"but the derivative is {right[i]:.6g}; {_likely_fix(a, found, right, outputs)}"
        )


def _likely_fix(a: Array, found: Array, right: Array, outputs: tuple[str, ...]) -> str:
    """Return what a wrong slope looks like, and what to do."""
    large = np.abs(right) > 1e-3
    ratio = found[large] / right[large]
    if ratio.size and np.allclose(ratio, ratio[0], rtol=1e-4) and ratio[0] != 0:
        if np.isclose(ratio[0], -1, rtol=1e-4):
            return "its sign is turned: give the derivative by the prediction, not by the target"
        return f"it is {ratio[0]:.4g} times the derivative everywhere: a factor is missing in one"
    if outputs == ("sigmoid",) and np.allclose(found, right * a * (1 - a), rtol=1e-4, atol=1e-6):
        return "it is the derivative by the logit: give that by the prediction"
    return "it must return the derivative of cost by its first argument"
