"""The activations by name: the function g in A = g(Z), and which of them may stand where."""

from __future__ import annotations

from .errors import SettingError
from .kernels.opcodes import Activation

__all__ = ["NAMES", "code"]

#: Every activation: identity z; sigmoid 1/(1 + e⁻ᶻ); tanh; relu max(0, z) with derivative 0 at 0;
#: leaky_relu z, or z/100 below zero, with derivative 1 at 0; softmax eᶻₖ / Σ eᶻ (outputs only).
NAMES: tuple[str, ...] = tuple(a.name.lower() for a in Activation)


def code(name: str) -> Activation:
    """Return the kernels' code of an activation.

    Raises
    ------
    SettingError
        If there is no activation of that name; the message lists those there are.
    """
    if not isinstance(name, str) or name not in NAMES:
        raise SettingError(f"activation {name!r} does not exist; choose one of {', '.join(NAMES)}")
    return Activation[name.upper()]
