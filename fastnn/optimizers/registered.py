"""Registered optimisers: what all classes have that `register` makes of users' update rules."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

from .._display.short_repr import frozen
from .._validation import arguments
from ..errors import SettingError
from ..kernels.custom_methods import CustomMethod
from ..kernels.custom_ops import code_of
from .kinds import CHECKS, Optimizer

#: The settings whose ranges are known by their names; others are any finite numbers.
RANGED = ("learning_rate", "beta", "beta1", "beta2", "epsilon", "weight_decay")


@frozen
class Registered(Optimizer):
    """An optimiser of a user: a frozen dataclass whose fields are the settings of its rule."""

    method: ClassVar[CustomMethod]

    if TYPE_CHECKING:  # the fields of its classes are known once they are registered

        def __init__(self, *values: float, **settings: float) -> None: ...

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self)]
        checks = {name: CHECKS[name] if name in RANGED else arguments.real for name in names}
        arguments.check_fields(self, **checks)

    def __reduce__(self) -> tuple[Any, ...]:
        # By name: a process that reads it has registered a class of its own, or says so.
        return _restored, (type(self).__name__, dict(vars(self)))

    @property
    def compiled(self) -> bool:
        """Whether the ``jitted`` backend runs it."""
        return bool(self.method.functions)

    @property
    def settings(self) -> dict[str, float]:
        """The code of the kernels' rule and its parameters."""
        name = type(self).__name__
        if REGISTERED.get(name) is not type(self):
            raise SettingError(
                f"optimizer {name} has been registered anew since {self!r} was made; make it again "
                "by the class that register returned last"
            )
        own = {
            f"setting{place}": getattr(self, setting)
            for place, setting in enumerate(self.method.own_settings)
        }
        return {
            "method": code_of(name),
            "weight_decay": getattr(self, "weight_decay", 0.0),
            **own,
        }


#: The optimisers that this process has registered, by the names of their classes.
REGISTERED: dict[str, type[Registered]] = {}


def _restored(name: str, settings: dict[str, float]) -> Registered:
    """Return the optimiser of a pickle."""
    if name not in REGISTERED:
        raise SettingError(
            f"optimizer {name} was registered where it was pickled, but not in this process; call "
            f"fastnn.optimizers.register({name!r}, update) before loading"
        )
    try:
        return REGISTERED[name](**settings)
    except TypeError as error:
        raise SettingError(
            f"optimizer {name} was pickled with the settings {', '.join(settings)}, but takes "
            f"others as it is registered here ({error})"
        ) from error
