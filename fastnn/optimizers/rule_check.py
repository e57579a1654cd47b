"""The check of a user's update rule: a function of each parameter alone, downhill and finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import SettingError

Array = np.ndarray[Any, np.dtype[np.float64]]
Rule = Callable[..., tuple[Array, ...]]

STEPS = 4  # that are taken of the parameters below, each along another gradient
PARAMETERS = np.array([-1.7, -0.4, 0.0, 0.3, 0.9, 2.2])
GRADIENTS = np.array(
    [
        [0.6, -1.3, 0.2, 1e-3, -0.5, 2.1],
        [-0.4, -0.8, 0.0, 2e-3, 0.7, 1.9],
        [0.5, 1.1, -0.3, -1e-3, -0.2, 0.0],
        [0.1, -0.9, 0.4, 3e-3, 0.6, -1.2],
    ]
)


@np.errstate(all="ignore")
def check_rule(
    update: Callable[..., Any], slots: int, names: tuple[str, ...], defaults: Mapping[str, float]
) -> tuple[Rule, list[Array], Array]:
    """Return a rule of arrays, samples of its arguments, each (n,), and its values (1 + slots, n).

    names: what the rule takes behind the slots; defaults: its settings.
    """
    numbers = [1.0 if name == "step" else defaults[name] for name in names]
    rule = _choose_form(update, slots, numbers)
    still = [0.0 if name == "weight_decay" else x for name, x in zip(names, numbers, strict=True)]
    zeros = np.zeros((slots, PARAMETERS.size))
    state = np.array(rule(PARAMETERS, np.zeros(PARAMETERS.size), *zeros, *still))
    if not np.isfinite(state).all():
        raise SettingError(
            f"update gives {_shown(state)} where gradient and slots are 0; it must give finite "
            "numbers"
        )
    moved = state[0] - PARAMETERS
    if moved.any():
        i = int(np.abs(moved).argmax())
        raise SettingError(
            f"update moves the parameter {PARAMETERS[i]:g} by {moved[i]:.3g} in its first step, "
            "though gradient and weight decay are 0; it must stay"
        )
    uphill = rule(PARAMETERS, GRADIENTS[0], *zeros, *still)[0] - PARAMETERS
    if (uphill * GRADIENTS[0] > 0).all():
        raise SettingError(
            "update moves every parameter along its gradient in the first step, so the cost would "
            "rise; subtract the step"
        )
    return rule, *_trajectory(update, rule, slots, names, numbers)


def _trajectory(
    update: Callable[..., Any], rule: Rule, slots: int, names: tuple[str, ...], numbers: list[float]
) -> tuple[list[Array], Array]:
    """Return samples of the arguments, and the values, of some steps from fresh slots on."""
    state, samples, values = (PARAMETERS, *np.zeros((slots, PARAMETERS.size))), [], []
    for t, gradient in enumerate(GRADIENTS, start=1):
        timed = [float(t) if name == "step" else x for name, x in zip(names, numbers, strict=True)]
        columns = [state[0], gradient, *state[1:], *(np.full(gradient.size, x) for x in timed)]
        state = rule(*columns[: 2 + slots], *timed)
        if not np.isfinite(state).all():
            raise SettingError(
                f"update gives {_shown(state)} in step {t} of gradients between −1.3 and 2.1; it "
                "must give finite numbers"
            )
        samples.append(np.array(columns))
        values.append(np.array(state))
    joined, found = np.concatenate(samples, axis=1), np.concatenate(values, axis=1)
    single = _by_number(update, slots)
    try:
        each = np.array(single(*joined))
    except Exception:  # a rule of arrays alone; what it does with numbers is of every type
        each = found
    if each.shape != found.shape or not np.allclose(each, found, rtol=1e-9, atol=1e-12):
        raise SettingError(
            "update must be a function of each parameter alone, but gives other numbers for one "
            "parameter than for the same among others; it knows no sums and norms"
        )
    return list(joined), found


def _shown(state: Any) -> str:
    """Return the first number that is not finite, as text."""
    wrong = np.array(state)[~np.isfinite(state)]
    return f"{wrong[0]}"


def _choose_form(update: Callable[..., Any], slots: int, numbers: list[float]) -> Rule:
    """Return the rule of arrays: the user's function, or that of numbers taken one by one."""
    arrays = [PARAMETERS, GRADIENTS[0], *np.zeros((slots, PARAMETERS.size))]
    problems = []
    for form in (_by_array(update, slots), _by_number(update, slots)):
        try:
            form(*arrays, *numbers)
        except SettingError:
            raise
        except Exception as error:  # what a user's function raises is of every type
            problems.append(f"{type(error).__name__}: {error}")
            continue
        return form
    raise SettingError(f"update fails for arrays and for numbers ({problems[-1]})")


def _parts(result: Any, slots: int) -> tuple[Any, ...]:
    """Return the new parameter and the new slots, or say that there are others."""
    parts = result if isinstance(result, tuple | list) else (result,)
    if len(parts) != 1 + slots:
        wanted = "the new parameter" + (f" and {slots} new slots" if slots else "")
        raise SettingError(
            f"update must return {wanted}, {1 + slots} in all as it takes {slots} slots, but "
            f"returns {len(parts)}"
        )
    return tuple(parts)


def _by_array(update: Callable[..., Any], slots: int) -> Rule:
    """Return the rule of arrays, of a user's function of arrays."""

    def rule(*columns: Any) -> tuple[Array, ...]:
        copies = [x.copy() if isinstance(x, np.ndarray) else x for x in columns]
        parts = [np.asarray(x, np.float64) for x in _parts(update(*copies), slots)]
        if any(part.shape != columns[0].shape for part in parts):
            shapes = ", ".join(str(part.shape) for part in parts)
            raise SettingError(
                f"update must keep the shape {columns[0].shape} of its parameters, but returns "
                f"{shapes}"
            )
        return tuple(parts)

    return rule


def _by_number(update: Callable[..., Any], slots: int) -> Rule:
    """Return the rule of arrays, of a user's function of numbers."""

    def rule(*columns: Any) -> tuple[Array, ...]:
        rows = zip(*np.broadcast_arrays(*columns), strict=True)
        each = [_parts(update(*map(float, row)), slots) for row in rows]
        return tuple(np.array(each, np.float64).reshape(len(each), 1 + slots).T)

    return rule
