"""Registered losses: a loss of a user as an object, by its name and its parameter."""

from __future__ import annotations

from typing import NamedTuple

from fastnn._display.short_repr import frozen
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.kernels import custom_ops

from .kinds import Loss, TargetCheck

#: What targets can be: the checks of what `fit` is given as y.
TARGETS: dict[str, TargetCheck] = {
    "real": arguments.real_targets,
    "positive": arguments.positive_targets,
    "counts": arguments.count_targets,
    "binary": arguments.binary_targets,
    "classes": arguments.class_targets,
}
LABELS = {"binary": "binary", "classes": "categorical"}


class Registration(NamedTuple):
    """What a loss was registered with, beside its functions."""

    outputs: tuple[str, ...]  # the output activations with which it works; () for any
    targets: str  # a key of TARGETS
    from_logits: bool
    parameter: float | None  # the default of its functions' third argument


#: What the losses of this process were registered with, by name.
REGISTRY: dict[str, Registration] = {}


@frozen
class Registered(Loss):
    """A loss that `register` has made, with a value of its parameter.

    Its name alone stands for it too, with the parameter's default.

    Parameters
    ----------
    function : str
        The name by which it was registered.
    parameter : float, optional
        The third argument of its functions, where they take one; by default as they have it.
    targets, from_logits : optional
        As it was registered; files give them, for processes that have not registered it.

    Raises
    ------
    SettingError
        If this process has registered no loss of that name, or one without a parameter.

    Examples
    --------
    >>> Network([Dense(1)], loss=fastnn.losses.Registered("log_cosh_of", 2.0))
    """

    function: str
    parameter: float | None = None
    targets: str | None = None
    from_logits: bool | None = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        known = REGISTRY.get(self.function)
        if known:
            self._take_from(known)
        elif self.targets not in TARGETS or self.from_logits is None:
            raise SettingError(
                f"loss {self.function!r} is not registered in this process; call "
                f"fastnn.losses.register({self.function!r}, cost, slope) first"
            )
        if self.parameter is not None:
            object.__setattr__(self, "parameter", arguments.real(self.parameter, "parameter"))

    def _take_from(self, known: Registration) -> None:
        """Take what is not given from the loss as it was registered."""
        if self.parameter is not None and known.parameter is None:
            raise SettingError(
                f"loss {self.function!r} takes no parameter, got {self.parameter!r}; its cost and "
                "slope need a third argument with a default for that"
            )
        for name in ("parameter", "targets", "from_logits"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(known, name))

    def __repr__(self) -> str:
        rest = "" if self.parameter is None else f", {self.parameter!r}"
        return f"Registered({self.function!r}{rest})"

    @property
    def code(self) -> int:  # type: ignore[override]
        """The kernels' code, a function of the name alone."""
        return custom_ops.code_of(self.function)

    @property
    def name(self) -> str:
        """The name by which it was registered."""
        return self.function

    @property
    def is_default(self) -> bool:
        """Whether its name alone stands for it, in this process."""
        known = REGISTRY.get(self.function)
        return known is not None and self.parameter == known.parameter

    @property
    def rate(self) -> float:
        """The parameter, 0 without one."""
        return 0.0 if self.parameter is None else self.parameter

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The output activations with which it works; () for any."""
        known = REGISTRY.get(self.function)
        return known.outputs if known else ()

    @property
    def check_targets(self) -> TargetCheck:  # type: ignore[override]
        """The check of what `fit` is given as y."""
        return TARGETS[str(self.targets)]

    @property
    def labels(self) -> str:
        """What targets are: ``"binary"`` labels, ``"categorical"`` ones, or ``""``: values."""
        return LABELS.get(str(self.targets), "")

    @property
    def compiled(self) -> bool:
        """Whether the ``jitted`` backend runs it in this process."""
        loss = custom_ops.LOSSES.get(self.code)
        return loss is not None and bool(loss.functions)
