"""Registration of optimisers: a user's update rule, checked, and compiled where it can be."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import field, make_dataclass
from typing import Any

from .._validation import arguments
from .._validation.compiling import is_compiled
from ..errors import SettingError
from ..kernels.custom_methods import CUSTOM_METHODS, GIVEN, MOST_SETTINGS, CustomMethod
from ..kernels.custom_ops import add
from .kinds import KINDS
from .registered import REGISTERED, Registered
from .rule_check import check_rule

Update = Callable[..., Any]


def register(name: str, update: Update, *, compiled: bool | None = None) -> type[Registered]:
    """Make an optimiser of an update rule, to be used like a built-in one from here on.

    The rule says what happens to one parameter in one step. Where Numba can compile it, fits stay
    compiled, on all threads; else networks train on the ``vectorized`` backend wherever ``jitted``
    is chosen.

    Parameters
    ----------
    name : str
        Of the class; not the name of a built-in optimiser. One's own may be registered again.
    update : callable
        Takes a parameter, its gradient, and a number for each slot, which is 0 at first and which
        the rule remembers for this parameter; these names are free. Behind them stand `step`, the
        number of the step from 1, if the rule needs it, and its settings with their defaults, of
        which `learning_rate` is one: fits pass the rate of the step, the schedule's factor
        included. A setting `weight_decay` is 0 for biases, γ and β. It returns the new parameter
        and the new slots, ``(parameter, slot, …)``, or without slots the parameter alone.

        All are float64: numbers, or arrays of one shape, number by number. Formulas of operators,
        `math` and NumPy functions are compiled; their global numbers are those of the time of
        registration. The gradient holds L2 and L1 and is clipped already.
    compiled : bool, optional
        True: a rule that Numba cannot compile is an error. False: it is not compiled. By default
        it is compiled where it can be, and a warning says why it cannot.

    Returns
    -------
    type
        A class of frozen objects whose fields are the settings, as the built-in optimisers are.
        Files and pickles hold its name and the settings; a process that loads them must have
        registered a rule of that name.

    Raises
    ------
    SettingError
        If the name is taken, or the rule takes or returns something else than the above, is no
        function of each parameter alone, gives numbers that are not finite, moves along the
        gradient instead of against it, or moves a parameter in its first step whose gradient and
        weight decay are 0. It takes four steps of a few parameters for that. Nothing is registered
        then.

    Warns
    -----
    UserWarning
        If Numba cannot compile the rule and `compiled` is not given.

    Examples
    --------
    Lion, of Chen et al., arXiv:2302.06675:

    >>> def lion(w, g, m, learning_rate=1e-4, beta1=0.9, beta2=0.99):
    ...     direction = np.sign(beta1 * m + (1 - beta1) * g)
    ...     return w - learning_rate * direction, beta2 * m + (1 - beta2) * g
    >>> Lion = fastnn.optimizers.register("Lion", lion)
    >>> net.fit(X, y, optimizer=Lion(learning_rate=3e-4))
    """
    arguments.new_name(name, KINDS)
    slots, names, defaults = _read_signature(update)
    rule, samples, values = check_rule(update, slots, names, defaults)
    method = CustomMethod(name=name, functions=(update,), rule=rule, slots=slots, arguments=names)
    if not is_compiled(
        f"optimizer {name}", compiled, lambda b: b.rule_error(method, samples, list(values))
    ):
        method = CustomMethod(name=name, rule=rule, slots=slots, arguments=names)
    settings = [(key, float, field(default=value)) for key, value in defaults.items()]
    space = {"method": method, "__module__": update.__module__, "__doc__": update.__doc__}
    kind = make_dataclass(name, settings, bases=(Registered,), namespace=space, frozen=True)
    kind()  # refuses defaults outside their ranges
    add(method, CUSTOM_METHODS)
    REGISTERED[name] = kind
    return kind


def _read_signature(update: Any) -> tuple[int, tuple[str, ...], dict[str, float]]:
    """Return the number of slots, the names behind them, and the settings with their defaults."""
    example = "update(parameter, gradient, average, step, learning_rate=0.001)"
    if not callable(update) or isinstance(update, type):
        raise SettingError(f"update must be a function like {example}, got {update!r}")
    try:
        parameters = list(inspect.signature(update).parameters.values())
    except (TypeError, ValueError):  # of some functions that are not written in Python
        parameters = []
    wanted = inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [each.name for each in parameters if each.default is inspect.Parameter.empty]
    settings = {each.name: each.default for each in parameters[len(needed) :]}
    timed = needed[-1:] == ["step"]
    slots = len(needed) - 2 - timed
    if slots < 0 or "step" in (*needed[:-1], *settings) or "learning_rate" not in settings:
        raise SettingError(
            f"update must be a function like {example}: parameter, gradient, the slots, perhaps "
            "step, then settings with defaults, learning_rate among them; it takes "
            f"({', '.join(map(str, parameters))})"
        )
    if any(each.kind is not wanted for each in parameters):
        raise SettingError(f"update must take its arguments by position, as {example}")
    defaults = {name: arguments.real(value, name) for name, value in settings.items()}
    if len(set(defaults) - set(GIVEN)) > MOST_SETTINGS:
        raise SettingError(
            f"update has {len(defaults)} settings, and at most {MOST_SETTINGS} beside "
            "learning_rate and weight_decay can be"
        )
    taken = sorted(set(defaults) & {"method", "settings", "compiled"})
    if taken:
        raise SettingError(f"a setting cannot have the name {taken[0]!r}; choose another one")
    return slots, (*(("step",) if timed else ()), *defaults), defaults
