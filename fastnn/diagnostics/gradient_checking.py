"""Gradient checking: a gradient beside the slopes of the cost by central differences."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError, ShapeError
from fastnn.kernels.gradient_check import step_at
from fastnn.kernels.records import Examples
from fastnn.kernels.views import statistics
from fastnn.lowering.program import Program
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.prediction import finite_examples
from fastnn.training.prepare_data import targets_of
from fastnn.training.state import NetworkState

from .finite_differences import Data, Slopes
from .gradient_report import GradientReport, ParameterCheck

__all__ = ["GradientReport", "check_gradients", "gradient_check"]

Array = np.ndarray[Any, Any]

IN_FULL = 5000  # parameters up to which every single one is checked
DIRECTIONS = 16  # random directions in each larger matrix of a larger network
ROUNDING = 16 * float(np.finfo(np.float64).eps)  # of a cost, as a share of it


def relative_difference(gradient: Array, slopes: Array) -> float:
    """Return ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), and 0 where both are zero.   g, ĝ of one shape."""
    g, estimate = np.ravel(gradient), np.ravel(slopes)
    largest = max(np.abs(g).max(initial=0), np.abs(estimate).max(initial=0))
    if largest == 0:
        return 0.0
    g, estimate = g / largest, estimate / largest  # whose squares cannot overflow
    return float(np.linalg.norm(g - estimate) / (np.linalg.norm(g) + np.linalg.norm(estimate)))


def gradient_check(
    f: Callable[[Any], Any], gradient: Any, theta: Any, epsilon: float = 1e-7
) -> float:
    """Return how far a gradient is from central differences: ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖).

    ĝᵢ = (f(θ + εeᵢ) − f(θ − εeᵢ)) / 2ε, in float64. With ε = 1e-7 the course takes anything below
    2e-7 for right; a wrong formula gives 1e-3 and more. Where ε is below 1e-8 of θᵢ, the step is
    that, so that it is not lost in rounding. A kink within ε of θ (relu at 0) gives a difference
    although the gradient is right: try another θ. Near a minimum, where the gradient itself is
    tiny, rounding does.

    Parameters
    ----------
    f : callable
        Takes an array of theta's shape (a number if theta is one) and returns one number. If Numba
        compiled it, the loop over parameters is compiled too.
    gradient : array of theta's shape
        The gradient to be checked, at theta.
    theta : number or array of any shape
        Where. It is never changed: f gets copies.
    epsilon : float
        The step ε, positive.

    Returns
    -------
    float
        Between 0 (also where both are zero) and 1.

    Raises
    ------
    ShapeError
        If gradient and theta differ in shape, or f does not return one number.
    DataError
        If a number is not finite, or f is no function.
    SettingError
        If epsilon is not positive.

    Examples
    --------
    >>> gradient_check(lambda t: (t**3).sum(), [3.0, 12.0], [1.0, 2.0]) < 1e-7
    True
    """
    step = arguments.real(epsilon, "epsilon", above=0)
    if isinstance(f, Network) or not callable(f):
        raise DataError(
            f"f must be a function of theta, got a {type(f).__name__}; the gradient of a network "
            "is checked by check_gradients(net, X, y)"
        )
    if callable(gradient):
        raise DataError("gradient must be the gradient's numbers at theta; call the function first")
    point = np.array(arguments.numeric(theta, "theta"), np.float64, order="C")
    g = arguments.numeric(gradient, "gradient").astype(np.float64)
    if g.shape != point.shape:
        raise ShapeError(f"gradient has shape {g.shape} but theta {point.shape}; they must agree")
    for array, name in ((point, "theta"), (g, "gradient")):
        arguments.check_finite(np.atleast_1d(array), name)
    slopes = None
    if point.ndim and hasattr(f, "py_func"):  # what Numba's compiled functions have
        compiled = importlib.import_module("fastnn.kernels.jitted.execution.gradient_check")
        slopes = compiled.slopes(f, point, step)
    if slopes is None:
        slopes = _slopes(f, point, step)
    if not np.isfinite(slopes).all():
        raise DataError(f"f is not finite within {step:g} of theta; no slope can be taken there")
    return relative_difference(g, slopes)


def _slopes(f: Callable[[Any], Any], theta: Array, epsilon: float) -> Array:
    """Return the slopes (p,) of f at theta; f gets a new copy each time."""

    def value(i: int, moved: float) -> float:
        point = theta.copy()
        point.flat[i] = moved
        result = np.asarray(f(point if theta.ndim else point[()]), np.float64)
        if result.size != 1:
            raise ShapeError(f"f must return one number, got an array of shape {result.shape}")
        return float(result.item())

    out = np.empty(theta.size)
    for i, kept in enumerate(theta.flat):
        step = step_at(kept, epsilon)
        high, low = float(kept + step), float(kept - step)
        out[i] = (value(i, high) - value(i, low)) / (high - low)
    return out


def check_gradients(
    net: Network, X: Any, y: Any, *, l2: float = 0.0, epsilon: float = 1e-7, seed: int = 0
) -> GradientReport:
    """Compare a network's gradient, as training takes it, with central differences of its cost.

    It works on a float64 copy: float32 would round away what there is to see. Of a network with
    precision="mixed" the copy rounds nothing either, for a cost of rounded numbers moves by jumps
    and has no slopes: formulas are checked, not the rounding. The network is not changed. Dropout
    masks are those of one step and stay the same throughout. Up to 5000 parameters, each one is
    moved by ±ε; in larger networks the slopes along 16 random directions within each matrix are
    compared instead (small ones still in full).

    At a kink (relu where an example's Z is 0) the cost has one slope on each side. Such slopes are
    found by one-sided differences: if the gradient lies between the two sides, they are left out
    of the comparison and counted in the report.

    Parameters
    ----------
    net : Network
        Built, and fitted once if it has a Normalization layer.
    X : array (m, n)
        Some examples; a handful is enough, and quick.
    y : array
        Their targets, as for `Network.fit`.
    l2 : float
        λ of the term λ/(2m) Σ‖W‖².
    epsilon : float
        The step ε, positive.
    seed : int
        Of the random directions.

    Returns
    -------
    GradientReport
        ``.difference``, ``.by_parameter``, ``.kinks``, ``.verdict``, ``.passed``; it
        prints as a table that names the wrong matrix.

    Raises
    ------
    ShapeError, DataError, SettingError, NotBuiltError
        If data, settings or the network cannot be used.
    """
    step = arguments.real(epsilon, "epsilon", above=0)
    rng = np.random.default_rng(arguments.seed(seed))
    program, data = _program_and_data(state_of(net), X, y, l2)
    slopes, grad = Slopes.of(program, data, step)
    views, places = program.views(grad), program.views(np.arange(len(grad)))
    whole = sum(view.size for view in views.values()) <= IN_FULL
    rows = []
    for name, view in views.items():
        indices = np.ascontiguousarray(places[name]).reshape(-1)
        drawn = None if whole or view.size <= DIRECTIONS else rng
        rows.append(_compared(slopes, grad, name, view.shape, indices, drawn))
    return GradientReport(tuple(rows), step, whole)


def _program_and_data(state: NetworkState, X: Any, y: Any, l2: float) -> tuple[Program, Data]:
    """Return a float64 copy of the network's program, and state, examples and settings for it."""
    X = finite_examples(state, X)
    twin = replace(state, dtype=np.dtype(np.float64), lowered=None, precision="float32")
    twin.build(X.shape[1])
    program = twin.program
    program.parameters.update(state.program.parameters)
    pairs = (statistics(p.state, p.ops[0]) for p in (program, state.program))
    for new, old in zip(*pairs, strict=True):
        new[...] = old
    settings = program.settings(l2=arguments.real(l2, "l2", least=0), seed=state.seed, threads=1)
    Y = targets_of(twin, y, len(X))
    return program, (program.state, Examples(X, Y, np.ones(len(X))), settings)


def _directions(size: int, indices: Array, rng: np.random.Generator) -> Array:
    """Return directions of ±1 within theta[indices], 0 elsewhere, (DIRECTIONS, p)."""
    directions = np.zeros((DIRECTIONS, size))
    for direction in directions:
        direction[indices] = rng.choice([-1.0, 1.0], len(indices))
    return directions


def _compared(
    slopes: Slopes, grad: Array, name: str, shape: tuple[int, ...], indices: Array,
    rng: np.random.Generator | None,
) -> ParameterCheck:  # fmt: skip
    """Compare the gradient of one parameter; with rng along random directions.

    Along a direction many kinks can meet, and then nothing bounds the gradient: where slopes that
    differ from it stand at kinks, as many single numbers are looked at instead.
    """
    noise = ROUNDING * max(1.0, abs(slopes.cost)) / slopes.step
    if rng is not None:
        directions = _directions(len(grad), indices, rng)
        found, expected = slopes.along(directions), directions @ grad
        check = ParameterCheck(name, shape, expected, found, noise)
        differ = directions[check.differing]
        if check.passed or not all(slopes.sides(d).jump(noise) for d in differ):
            return check
        indices = rng.choice(indices, DIRECTIONS, replace=False)
    check = ParameterCheck(name, shape, grad[indices], slopes.by_each(indices), noise)
    if check.passed:
        return check
    kinks = np.zeros(len(indices), bool)
    for k in np.flatnonzero(check.differing):
        sides = slopes.sides(slopes.direction_of(indices[k]))
        kinks[k] = sides.jump(noise) and sides.hold(check.gradient[k], noise)
    return ParameterCheck(
        name, shape, check.gradient[~kinks], check.slopes[~kinks], noise, int(kinks.sum())
    )
