"""Registration of losses: a user's ℓ and ∂ℓ/∂prediction, checked, and compiled where it can be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn._validation.compiling import is_compiled
from fastnn.errors import SettingError
from fastnn.kernels import custom_ops
from fastnn.kernels.backend import Backend

from .kinds import NAMES, REGISTERED
from .registered import LABELS, REGISTRY, TARGETS, Registered, Registration
from .slope_check import check_slope, elementwise, points_for

Function = Callable[..., Any]
#: What targets are by default, for losses that work with these outputs alone.
PARTNERS: dict[tuple[str, ...], str] = {("sigmoid",): "binary", ("softmax",): "classes"}


def register(
    name: str,
    cost: Function,
    slope: Function,
    *,
    outputs: str | Sequence[str] = (),
    targets: str | None = None,
    from_logits: bool = False,
    compiled: bool | None = None,
) -> Registered:
    """Add a loss that networks may name from here on in this process.

    The cost of an example is the sum of ℓ(prediction, target) over its outputs. Where Numba can
    compile both functions, fits stay compiled as with a built-in loss, on all threads, and what
    the functions raise ends the fit as divergence; else networks with this loss train on the
    ``vectorized`` backend wherever ``jitted`` is chosen.

    Parameters
    ----------
    name : str
        Not the name of a built-in loss; one's own may be registered again.
    cost : callable
        ℓ as a function of (prediction, target): of two numbers, or of two float64 arrays of one
        shape, number by number. Formulas of operators, `math` and NumPy functions are compiled;
        their global numbers are those of the time of registration. It may take a third argument
        with a default, a parameter for ``losses.Registered(name, parameter)``.
    slope : callable
        ∂ℓ/∂prediction, likewise.
    outputs : str or sequence of str
        The output activations with which it works, as ``"softplus"``; by default any.
    targets : {"real", "positive", "counts", "binary", "classes"}, optional
        What y may hold: any numbers; numbers above 0; numbers from 0 on; 0 or 1 for sigmoid
        outputs; classes 0 … K − 1 for a softmax, one-hot. The last two let fits record the
        accuracy. By default as suits the outputs: binary, classes, else real.
    from_logits : bool
        Whether the functions take, instead of predictions, the arguments z of a sigmoid or a
        softmax: where a formula like ln σ(z) would lose digits.
    compiled : bool, optional
        True: a loss that Numba cannot compile is an error. False: it is not compiled. By default
        it is compiled where it can be, and a warning says why it cannot.

    Returns
    -------
    Registered
        The loss, which networks take as well as its name.

    Raises
    ------
    SettingError
        If the name is taken, a function is none of each number alone or gives numbers that are not
        finite, or slope is not the derivative of cost: it is held against central differences at
        some hundred pairs of a prediction and a target. Nothing is registered then.

    Warns
    -----
    UserWarning
        If Numba cannot compile the functions and `compiled` is not given.

    Examples
    --------
    >>> fastnn.losses.register("log_cosh", lambda a, y: np.log(np.cosh(a - y)),
    ...                        lambda a, y: np.tanh(a - y))
    >>> Network([Dense(20, "relu"), Dense(1)], loss="log_cosh")
    """
    arguments.new_name(name, NAMES)
    named = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    targets = PARTNERS.get(named, "real") if targets is None else targets
    named = _checked_outputs(named, targets, arguments.flag(from_logits, "from_logits"))
    parameter = _parameter(cost, slope)
    rest = () if parameter is None else (parameter,)
    points = points_for(named, targets, from_logits), rest
    array_cost, _ = elementwise(cost, "cost", *points)
    array_slope, _ = elementwise(slope, "slope", *points)
    check_slope(array_cost, array_slope, *points, named)
    loss = custom_ops.CustomLoss(
        name=name, functions=(cost, slope), cost=array_cost, slope=array_slope,
        has_parameter=bool(rest), labels=LABELS.get(targets, ""), from_logits=from_logits,
    )  # fmt: skip
    if not is_compiled(f"loss {name!r}", compiled, lambda b: _compile_error(b, loss, points)):
        loss = custom_ops.not_compiled(loss)
    custom_ops.add(loss, custom_ops.LOSSES)
    REGISTRY[name] = Registration(named, targets, from_logits, parameter)
    REGISTERED[name] = registered = Registered(name)
    return registered


def _checked_outputs(outputs: tuple[str, ...], targets: str, from_logits: bool) -> tuple[str, ...]:
    """Return the output activations, or say how they, the targets and logits belong together."""
    if targets not in TARGETS:
        raise SettingError(f"targets must be one of {', '.join(TARGETS)}, got {targets!r}")
    partner = {targets: outputs for outputs, targets in PARTNERS.items()}.get(targets)
    if partner and outputs not in ((), partner):
        raise SettingError(
            f"targets={targets!r} go with {partner[0]} outputs, got outputs={outputs!r}; leave one "
            "of the two out"
        )
    if from_logits and (partner or outputs) not in PARTNERS:
        raise SettingError(
            "from_logits=True is for the argument of a sigmoid or a softmax; name it, as "
            'outputs="sigmoid"'
        )
    return partner or outputs


def _arguments_of(function: Function) -> list[inspect.Parameter]:
    """Return the arguments of a function of numbers; none where it does not tell them."""
    if isinstance(function, np.ufunc):  # NumPy from 2.4 on tells those, and out, where and more
        return []
    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError:
        return []


def _parameter(cost: Function, slope: Function) -> float | None:
    """Return the default of the third argument of both functions, None where they take two."""
    found = []
    for role, function in (("cost", cost), ("slope", slope)):
        if not callable(function):
            raise SettingError(
                f"{role} must be a function of (prediction, target), got {function!r}"
            )
        names = _arguments_of(function)
        default = names[2].default if len(names) == 3 else None
        if len(names) not in (0, 2, 3) or default is inspect.Parameter.empty:
            raise SettingError(
                f"{role} must take (prediction, target), and at most a parameter with a default, "
                f"but takes ({', '.join(str(each) for each in names)})"
            )
        found.append(None if default is None else arguments.real(default, names[2].name))
    if found[0] != found[1]:
        raise SettingError(
            f"cost and slope must have the same parameter, but its default is {found[0]} in cost "
            f"and {found[1]} in slope"
        )
    return found[0]


def _compile_error(jitted: Backend, loss: custom_ops.CustomLoss, points: Any) -> str | None:
    """Return why Numba cannot compile a loss, or None; points: those of its check, and the rest."""
    sample, rest = points
    samples = tuple(np.broadcast_arrays(*sample, *rest))
    values = loss.cost(*sample, *rest), loss.slope(*sample, *rest)
    return jitted.compile_error(loss, samples, values)
