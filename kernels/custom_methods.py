"""Custom methods: the update rules of users' optimisers, a function of the numbers of a parameter.

A rule takes a parameter, its gradient, one number for each slot, and further numbers by name; it
returns the parameter and the slots after the step. All are float64; what is stored is rounded to
the network's dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .custom_ops import FIRST, OPTIMIZER_FAMILY, CustomOp
from .opcodes import METHODS, Method, MethodTraits

Array = np.ndarray[Any, Any]

#: Numbers of a rule that a run gives it: of SETTINGS, or of the step.
GIVEN = ("step", "learning_rate", "weight_decay")
MOST_SETTINGS = 8  # of a rule's own: `setting0`, … of SETTINGS


@dataclass(frozen=True, eq=False, kw_only=True)
class CustomMethod(CustomOp):
    """A user's update rule.

    Attributes
    ----------
    rule : callable
        Takes arrays (n,) of float64: parameters, gradient and each slot, then the numbers that
        `arguments` names; returns a tuple of arrays (n,), the new parameters and slots.
    functions : tuple of callable
        The rule for numbers: it returns a number, or a tuple of 1 + slots numbers.
    slots : int
        Numbers that the rule remembers of each parameter.
    arguments : tuple of str
        What the rule takes behind the slots, in order: names of GIVEN, and settings of its own.
    """

    family = OPTIMIZER_FAMILY
    roles = ("update",)
    rule: Callable[..., tuple[Array, ...]]
    slots: int
    arguments: tuple[str, ...]

    @property
    def own_settings(self) -> tuple[str, ...]:
        """The settings of its own, in the order of `setting0`, …"""
        return tuple(name for name in self.arguments if name not in GIVEN)


#: The custom methods by their codes.
CUSTOM_METHODS: dict[int, CustomMethod] = {}


def traits_of(method: int) -> MethodTraits:
    """Return what a built-in or custom method remembers."""
    if method >= FIRST:
        return MethodTraits(CUSTOM_METHODS[method].slots)
    return METHODS[Method(method)]


def take_step(theta: Array, grad: Array, slots: Array, settings: Any, rate: float, t: int) -> bool:
    """Take step t (from 1) of a custom method, in place; False, and nothing moved, if not finite.

    theta, grad (p,); slots (s, p); settings: a SETTINGS record, whose first `decay` parameters
    `weight_decay` acts on; it is 0 for the others.
    """
    method = CUSTOM_METHODS[int(settings["method"])]
    values = {"step": float(t), "learning_rate": rate, "weight_decay": 0.0}
    for place, name in enumerate(method.own_settings):
        values[name] = float(settings[f"setting{place}"])
    edge = int(settings["decay"]) if "weight_decay" in method.arguments else 0
    weight_decay = {"weight_decay": float(settings["weight_decay"])}
    moved = []
    with np.errstate(all="ignore"):  # what is not finite ends the fit, as in compiled code
        for part, numbers in ((slice(edge), values | weight_decay), (slice(edge, None), values)):
            arrays = [x[part].astype(np.float64) for x in (theta, grad, *slots)]
            found = method.rule(*arrays, *(numbers[name] for name in method.arguments))
            moved.append([new.astype(theta.dtype) for new in found])
    if not all(np.isfinite(new).all() for found in moved for new in found):
        return False
    for old, *new in zip((theta, *slots), *moved, strict=True):
        np.concatenate(new, out=old)
    return True
