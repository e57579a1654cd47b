"""The activations by name: the function g in A = g(Z), built in or registered by users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._habits import answers
from ._validation import arguments
from .errors import SettingError
from .kernels.custom_activations import CUSTOM
from .kernels.custom_ops import code_of
from .kernels.opcodes import Activation

__all__ = ["NAMES", "code", "register"]

#: The built-in activations: identity z; sigmoid 1/(1 + e⁻ᶻ); tanh; relu max(0, z) with derivative 0
#: at 0; leaky_relu z, or z/100 below zero, with derivative 1 at 0; softmax eᶻₖ / Σ eᶻ (outputs
#: only); elu and selu, exponential below zero; softplus ln(1 + eᶻ); silu z σ(z); gelu z Φ(z); mish
#: z tanh(softplus(z)); exp eᶻ, for outputs that are means of counts. Sources stand beside the
#: formulas in the `loops` backend.
NAMES: tuple[str, ...] = tuple(a.name.lower() for a in Activation)

_registered: dict[str, int] = {}


def resolve(name: str) -> str:
    """Return our name of an activation: ``"linear"`` is ``"identity"``, ``"swish"`` is ``"silu"``.

    Raises
    ------
    SettingError
        If there is no activation of that name; the message lists those there are.
    """
    known = (*NAMES, *_registered)
    if not isinstance(name, str) and callable(name):
        ours = answers.synonym("activation", getattr(name, "__name__", type(name).__name__), known)
        advice = f"give {ours!r}" if ours else "activations.register gives a function one"
        raise SettingError(f"an activation must be a name, got {name!r}; {advice}")
    if isinstance(name, int) and not isinstance(name, bool):
        raise SettingError(
            f"an activation must be a name, got {name!r}; Dense takes the number of its outputs "
            f"alone, here Dense({name}), for its inputs are the outputs of the layer before"
        )
    return answers.resolve("activation", name, known)


def code(name: str) -> int:
    """Return the kernels' code of an activation, known by any name that `resolve` takes."""
    name = resolve(name)
    return _registered[name] if name in _registered else Activation[name.upper()]


def register(name: str, forward: Callable[[Any], Any], backward: Callable[[Any], Any]) -> None:
    """Add an activation that layers may name from here on in this process.

    Networks that use it run on the ``vectorized`` backend wherever ``jitted`` is chosen.

    Parameters
    ----------
    name : str
        Not the name of a built-in activation; one's own may be registered again.
    forward : callable
        g: takes an array of any shape and returns g of each number, in its shape.
    backward : callable
        g′, likewise, as a function of the same z.

    Raises
    ------
    SettingError
        If the name is taken, a function does not keep the shape or gives numbers that are not
        finite, or g′ is not the slope of g: it is held against central differences at 61 points
        between −3 and 3.

    Examples
    --------
    >>> fastnn.activations.register("square", lambda z: z * z, lambda z: 2 * z)
    """
    arguments.new_name(name, NAMES)
    # An odd offset: kinks like relu's at 0 lie between the points.
    z = np.linspace(-3, 3, 61) + 0.0371
    values = [_evaluate(forward, "forward", z + step) for step in (1e-6, -1e-6)]
    slopes = (values[0] - values[1]) / 2e-6
    found = _evaluate(backward, "backward", z)
    wrong = np.abs(found - slopes) > 1e-5 * (1 + np.abs(slopes))
    if wrong.any():
        i = int(wrong.argmax())
        raise SettingError(
            f"backward is not the derivative of forward: at z = {z[i]:.4f} it gives "
            f"{found[i]:.6g}, but the slope is {slopes[i]:.6g}; it must return g'(z)"
        )
    number = _registered.setdefault(name, code_of(name))
    CUSTOM[number] = forward, backward


def _evaluate(function: Callable[[Any], Any], name: str, z: Any) -> Any:
    """Return the values (61,) of a user's function at the points z (61,), checked."""
    if not callable(function):
        raise SettingError(f"{name} must be a function of an array, got {function!r}")
    values = np.asarray(function(z), dtype=np.float64)
    if values.shape != z.shape:
        raise SettingError(f"{name} turned an array of shape {z.shape} into one of {values.shape}")
    if not np.isfinite(values).all():
        raise SettingError(f"{name} gives numbers that are not finite between −3 and 3")
    return values
